"""MiniLM: texts of every length, in any company, and what becomes of too long ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import Tensor, kernels
from tinyllm.errors import CheckpointError, ConfigError, DataError
from tinyllm.models import minilm as module
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig
from tinyllm.models.formats.safetensors import save
from tinyllm.models.formats.sharded import save_sharded
from tinyllm.models.minilm import MiniLM, asked_length, batches, encoder_of, rectangle
from tinyllm.tokenizer.wordpiece import WordPiece

FROZEN = Path(__file__).parents[1] / "frozen"
CONFIG = BertConfig(vocab_size=128, block_size=16, n_layer=2, n_head=2, n_embd=6, n_hidden=7)
TEXTS = ["to be", "", "or not to be", "that", "is the question whether", "a", "to be"]


def encode(text):
    return [1, *text.encode("ascii"), 2]


@pytest.fixture
def minilm():
    rng = np.random.default_rng(5)
    model = Bert(CONFIG, rng)
    for p in model.parameters():
        p.data += rng.normal(0, 0.2, p.shape).astype(np.float32)
    return MiniLM(model, encode, longest=12)


def test_each_text_has_the_vector_that_it_has_alone(minilm):
    with tl.kernels.use("numpy"):
        vectors = minilm.embed(TEXTS)
        alone = np.concatenate([minilm.embed([text]) for text in TEXTS])
    assert vectors.shape == (7, 6) and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, alone, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(vectors[0], vectors[6], rtol=0, atol=1e-6)
    others = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)[~np.eye(7, dtype=bool)]
    assert np.sort(others)[2] > 1e-3  # no two others are alike


def test_in_many_batches_as_in_one(minilm, monkeypatch):
    with tl.kernels.use("numpy"):
        together = minilm.embed(TEXTS)
        monkeypatch.setattr(module, "TOKENS_AT_ONCE", 9)
        np.testing.assert_allclose(minilm.embed(TEXTS), together, rtol=0, atol=1e-6)


def test_a_long_text_is_cut_behind_its_beginning_and_says_so(minilm):
    with tl.kernels.use("numpy"):
        vectors = minilm.embed(["0123456789abc", "0123456789"])
        assert minilm.cut == [3, 0]  # of 13 pieces 10 have room beside the frame
        np.testing.assert_allclose(vectors[0], vectors[1], rtol=0, atol=1e-6)
        minilm.embed(["a"])
    assert minilm.cut == [0]


def test_it_is_the_encoders_recipe(minilm):
    with tl.kernels.use("numpy"):
        ids = np.array([encode("that")])
        assert np.array_equal(minilm.embed(["that"]), minilm.model.embed(ids).data)
    assert not minilm.model.training


def test_nothing_in_nothing_out(minilm):
    assert minilm.embed([]).shape == (0, 6)


def test_batches_hold_every_text_once_and_like_lengths():
    lengths = np.random.default_rng(0).integers(1, 30, 100)
    found = list(batches(lengths, most=64))
    assert sorted(i for batch in found for i in batch) == list(range(100))
    assert all(sum(lengths[i] for i in batch) <= 64 for batch in found)
    in_order = [lengths[i] for batch in found for i in batch]
    assert in_order == sorted(in_order)
    assert list(batches([100, 3], most=64)) == [[1], [0]]  # one that is too long by itself goes alone


def test_rectangle():
    ids, mask = rectangle([[5], [6, 7, 8]])
    assert ids.tolist() == [[5, 0, 0], [6, 7, 8]]
    assert mask.tolist() == [[True, False, False], [True, True, True]]


@pytest.mark.parametrize("texts", ["one string", [b"bytes"], ["fine", None]])
def test_what_is_no_list_of_texts(minilm, texts):
    with pytest.raises(DataError, match=r"one string|text 0 is bytes|text 1 is NoneType"):
        minilm.embed(texts)


@pytest.mark.parametrize("longest", [2, 17])
def test_lengths_that_cannot_be(minilm, longest):
    with pytest.raises(ConfigError, match=rf"longest={longest}\. Try: 3 to 16"):
        MiniLM(minilm.model, encode, longest)


# a folder as sentence-transformers saves it


@pytest.fixture
def folder(tmp_path, minilm):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG.to_json()))
    save(tmp_path / "model.safetensors", minilm.model.to_arrays(), {"format": "pt"})
    steps = [{"type": f"sentence_transformers.models.{name}"} for name in ("Transformer", "Pooling", "Normalize")]
    (tmp_path / "modules.json").write_text(json.dumps(steps))
    pooling = {"word_embedding_dimension": 6, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 12}))
    return tmp_path


def test_a_folder_gives_the_same_vectors(folder, minilm):
    read = MiniLM(folder, encode)
    assert read.longest == asked_length(folder) == 12
    assert MiniLM(str(folder), encode, longest=8).longest == 8
    with tl.kernels.use("numpy"):
        assert np.array_equal(read.embed(TEXTS), minilm.embed(TEXTS))


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "to", "be", "or", "not", "##s"]


def test_the_folder_is_enough(folder):
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    words = WordPiece(WORDS)
    with tl.kernels.use("numpy"):
        vectors = tl.models.MiniLM(folder).embed(["To be", "", "or not to bes"])
        assert np.array_equal(vectors, MiniLM(folder, words.encode).embed(["To be", "", "or not to bes"]))
        (folder / "vocab.txt").unlink()
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(FROZEN / "wordpiece" / name, folder)
        other = MiniLM(folder).embed(["the owls"])
        assert np.array_equal(other, MiniLM(folder, lambda text: [2, 5, 6, 7, 3]).embed(["the owls"]))


def test_vocabularies_that_cannot_be_meant(folder):
    with pytest.raises(DataError, match="no tokenizer is in this folder"):
        MiniLM(folder)
    with pytest.raises(ConfigError, match=r"nothing turns texts into ids\. Try: encode="):
        MiniLM(Bert.from_folder(folder))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    with pytest.raises(ConfigError, match="a vocabulary of 9 and a model that knows 8"):
        encoder_of(folder, 8)
    (folder / "sentence_bert_config.json").write_text('{"do_lower_case": true}')
    assert encoder_of(folder, 9)("TO") == [2, 4, 3]
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    with pytest.raises(ConfigError, match="a cased vocabulary and lowers texts"):
        MiniLM(folder)
    (folder / "vocab.txt").unlink()
    (folder / "vocab.json").write_text(json.dumps({"a": 0, "b": 1}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises((ConfigError, DataError)):
        MiniLM(folder)


def test_little_is_left_to_numpy_until_numba_is_worth_its_time(minilm, monkeypatch):
    seen, none = [], Tensor(np.zeros((2, 6), np.float32))
    monkeypatch.setattr(minilm.model, "embed", lambda *batch: seen.append(kernels.backend()) or none)
    monkeypatch.delenv("TINYLLM_KERNELS", raising=False)
    monkeypatch.setattr(kernels.table, "_default", lambda: "numba")
    monkeypatch.setitem(sys.modules, "tinyllm.kernels.jit", sys)
    monkeypatch.delitem(sys.modules, "tinyllm.kernels.jit")
    monkeypatch.setattr(module, "FEW", 18)
    for _ in range(3):
        minilm.embed(["to be", "a"])  # 10 tokens
    assert seen == ["numpy", "numba", "numba"]


def test_the_first_text_loads_no_numba(folder):
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    code = f"""
import sys
from tinyllm.models import MiniLM
assert "tinyllm.tokenizer" not in sys.modules
MiniLM({str(folder)!r}).embed(["to be"])
print("numba" in sys.modules)
"""
    environment = {**os.environ, "TINYLLM_KERNELS": ""}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout == "False\n"


def test_its_weights_stay_in_the_file(folder):
    assert not MiniLM(folder, encode).model.word.weight.data.flags.writeable
    assert Bert.from_folder(folder).word.weight.data.flags.writeable


@pytest.mark.parametrize("floats", ["F16", "BF16"])
def test_halves_and_shards(folder, minilm, floats):
    (folder / "model.safetensors").unlink()
    save_sharded(folder, minilm.model.to_arrays(), max_shard_size=2000, floats=floats)
    assert len(list(folder.glob("*.safetensors"))) == 2
    with tl.kernels.use("numpy"):
        vectors = MiniLM(folder, encode).embed(TEXTS)
        assert 1e-6 < np.abs(vectors - minilm.embed(TEXTS)).max() < 0.1
    assert vectors.dtype == np.float32


@pytest.mark.parametrize(("most", "longest"), [(9, 9), (512, 16), (10**30, 16)])
def test_folders_of_version_6_leave_the_length_to_the_tokenizer(folder, most, longest):
    (folder / "sentence_bert_config.json").write_text('{"transformer_task": "feature-extraction"}')
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": most}))
    (folder / "1_Pooling" / "config.json").write_text('{"embedding_dimension": 6, "pooling_mode": "mean"}')
    about = {"prompts": {"query": "", "document": ""}, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(about))
    assert MiniLM(folder, encode).longest == longest


def test_a_folder_that_says_nothing_of_lengths(folder):
    for name in ("sentence_bert_config.json", "modules.json", "1_Pooling/config.json"):
        (folder / name).unlink()
    assert asked_length(folder) is None
    assert MiniLM(folder, encode).longest == 16  # all positions there are, as these are fewer than 256


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("modules.json", '[{"type": "sentence_transformers.models.Dense"}]', "a step 'Dense', and only Transformer"),
        ("modules.json", "{}", "holds no list"),
        ("modules.json", "[1]", "holds no list of objects"),
        ("modules.json", "[", "cannot read .*modules.json"),
        ("1_Pooling/config.json", '{"pooling_mode_cls_token": true}', "asks for pooling_mode_cls_token, and only the"),
        (
            "1_Pooling/config.json",
            '{"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}',
            "pooling_mode_mean_tokens and pooling_mode_max_tokens",
        ),
        ("1_Pooling/config.json", '{"pooling_mode": "cls"}', "asks for pooling_mode_cls_tokens, and only the mean"),
        ("1_Pooling/config.json", '{"pooling_mode": ["mean", "max"]}', "mean_tokens and pooling_mode_max_tokens"),
        ("1_Pooling/config.json", "[]", "holds no object"),
        (
            "config_sentence_transformers.json",
            '{"default_prompt_name": "query", "prompts": {"query": "query: "}}',
            "puts its prompt 'query' before every text",
        ),
        ("sentence_bert_config.json", '{"max_seq_length": "12"}', "max_seq_length is '12'"),
        ("sentence_bert_config.json", '{"max_seq_length": 17}', "longest=17. Try: 3 to 16"),
        ("sentence_bert_config.json", '{"max_seq_length": 0}', "longest=0. Try: 3 to 16"),
        ("config.json", '{"model_type": "mpnet"}', "model_type is 'mpnet'"),
    ],
)
def test_a_folder_with_another_recipe_is_refused(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        MiniLM(folder, encode)


def test_a_folder_without_weights(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"neither model\.safetensors nor"):
        MiniLM(folder, encode)
    with pytest.raises(ConfigError, match=r"cannot read the config .*: no such file"):
        MiniLM(folder / "nowhere", encode)
