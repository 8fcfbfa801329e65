"""Names of BERT's weights: every spelling is read, and nothing is left out in silence."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import CheckpointError
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig
from tinyllm.models.exchange.bert_names import from_theirs, names, shapes, to_theirs

CONFIG = BertConfig(vocab_size=11, block_size=5, n_type=3, n_layer=2, n_head=2, n_embd=6, n_hidden=7)
DENSE = "encoder.layer.1.intermediate.dense.weight"


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes(CONFIG, pooler=True).items()}


def test_counts_of_minilm():
    config = BertConfig(n_layer=6, n_embd=384, n_hidden=1536)
    wanted = shapes(config, pooler=True)
    assert len(wanted) == 103  # and the buffer of positions makes 104
    assert sum(np.prod(shape) for shape in wanted.values()) == 22_713_216


@pytest.mark.parametrize("pooler", [True, False])
def test_the_table_has_every_parameter_in_its_shape(pooler):
    model = Bert(CONFIG, np.random.default_rng(0), pooler=pooler)
    table, wanted = names(CONFIG, pooler), shapes(CONFIG, pooler)
    assert list(table) == [name for name, _ in model.named_parameters()]
    for name, p in model.named_parameters():
        first = wanted[table[name][0]]
        assert p.shape == (len(table[name]) * first[0], *first[1:]), name
    theirs = [name for group in table.values() for name in group]
    assert sorted(theirs) == sorted(wanted) and len(set(theirs)) == len(theirs)


def test_there_and_back(arrays):
    state = from_theirs(CONFIG, arrays)
    again = to_theirs(CONFIG, state)
    assert again.keys() == arrays.keys()
    assert all(np.array_equal(again[name], arrays[name]) for name in arrays)
    parts = [arrays[f"encoder.layer.1.attention.self.{part}.bias"] for part in ("query", "key", "value")]
    assert np.array_equal(state["layers.1.attn.qkv.bias"], np.concatenate(parts))


def test_every_spelling_is_read(arrays):
    plain = from_theirs(CONFIG, arrays)
    spelled = {f"bert.{name}": array for name, array in arrays.items()}
    spelled["bert.embeddings.LayerNorm.gamma"] = spelled.pop("bert.embeddings.LayerNorm.weight")
    spelled["bert.encoder.layer.0.output.LayerNorm.beta"] = spelled.pop("bert.encoder.layer.0.output.LayerNorm.bias")
    spelled["bert.embeddings.position_ids"] = np.arange(5)[None]
    spelled["cls.predictions.bias"] = np.zeros(11, np.float32)
    read = from_theirs(CONFIG, spelled, skip=("cls.",))
    assert read.keys() == plain.keys() and all(np.array_equal(read[name], plain[name]) for name in plain)


def test_without_a_pooler(arrays):
    body = {name: array for name, array in arrays.items() if not name.startswith("pooler.")}
    assert "pooler.weight" not in from_theirs(CONFIG, body)
    assert "pooler.weight" not in from_theirs(CONFIG, arrays, skip=("pooler.",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop(DENSE), rf"1 missing: {DENSE} \(7, 6\)"),
        (lambda a: a.pop("pooler.dense.bias"), r"1 missing: pooler\.dense\.bias \(6,\)"),
        (lambda a: a.update({"encoder.layer.2.output.dense.bias": np.zeros(6)}), r"1 unexpected: encoder\.layer\.2\."),
        (
            lambda a: a.update({DENSE.replace("dense", "dens"): a.pop(DENSE)}),
            rf"missing: {DENSE} \(7, 6\) \(nearest: .*dens\.weight\); 1 unexpected: .*\(nearest: {DENSE}\)",
        ),
        (lambda a: a.update({DENSE: a[DENSE].T}), rf"1 misshapen: {DENSE} \(6, 7\) float32, not \(7, 6\)"),
        (lambda a: a.update({DENSE: a[DENSE].astype(int)}), r"\(7, 6\) int64, not \(7, 6\) of floating point"),
        (lambda a: a.update({f"bert.{DENSE}": a[DENSE]}), f"{DENSE} and bert.{DENSE} are one tensor, named twice"),
        (lambda a: a.update({"cls.predictions.bias": np.zeros(11)}), r'Try: skip=\("cls.",\)'),
        (lambda a: a.clear(), r"37 missing: .* and 33 more"),
    ],
)
def test_what_does_not_fit_is_named(arrays, change, message):
    change(arrays)
    with pytest.raises(CheckpointError, match=message):
        from_theirs(CONFIG, arrays)


def test_half_precision_is_widened(arrays):
    half = {name: array.astype(np.float16) for name, array in arrays.items()}
    model = Bert.from_arrays(CONFIG, half)
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert np.array_equal(model.word.weight.data, half["embeddings.word_embeddings.weight"].astype(np.float32))
