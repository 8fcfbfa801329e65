"""The encoder against plain NumPy and against the faults that are usual; its gradients; what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.errors import CheckpointError, DTypeError, GradcheckError, RangeError, ShapeError
from tinyllm.models.bert import Bert
from tinyllm.models.bert_config import BertConfig

CONFIG = BertConfig(
    vocab_size=11, block_size=5, n_layer=2, n_head=3, n_embd=6, n_hidden=7, dropout=0, attention_dropout=0
)
IDS = np.array([[7, 3, 9, 1, 4], [2, 5, 0, 0, 0], [6, 8, 10, 0, 0], [3, 3, 0, 0, 0]])
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
TYPES = np.array([[0, 0, 1, 1, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
BATCH = (IDS, MASK, TYPES)


def noisy(config=CONFIG, dtype=np.float64, pooler=True):
    """Every parameter moved: with gains of 1 and biases of 0 some faults would not show."""
    rng = np.random.default_rng(7)
    model = Bert(config, rng, pooler=pooler).astype(dtype)
    for p in model.parameters():
        p.data += rng.normal(0, 0.2, p.shape).astype(dtype)
    return model


# the encoder once more, in plain NumPy: padded, masked, every matrix apart, under transformers' names

erf = np.vectorize(math.erf)


def linear(W, name, x):
    return x @ W[f"{name}.weight"].T + W[f"{name}.bias"]


def norm(W, name, x, eps):
    centered = x - x.mean(-1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(-1, keepdims=True) + eps) * W[f"{name}.weight"] + W[f"{name}.bias"]


def hidden(W, H, L, eps, ids, mask, types):
    """Return (B, T, C); what stands at padding means nothing."""
    B, T = ids.shape
    x = W["embeddings.word_embeddings.weight"][ids] + W["embeddings.position_embeddings.weight"][:T]
    x = norm(W, "embeddings.LayerNorm", x + W["embeddings.token_type_embeddings.weight"][types], eps)
    for i in range(L):
        at = f"encoder.layer.{i}"
        q, k, v = (
            linear(W, f"{at}.attention.self.{part}", x).reshape(B, T, H, -1).swapaxes(1, 2)
            for part in ("query", "key", "value")
        )
        s = np.where(mask[:, None, None] != 0, q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]), -np.inf)
        w = np.exp(s - s.max(-1, keepdims=True))
        a = (w / w.sum(-1, keepdims=True) @ v).swapaxes(1, 2).reshape(B, T, -1)
        x = norm(W, f"{at}.attention.output.LayerNorm", x + linear(W, f"{at}.attention.output.dense", a), eps)
        h = linear(W, f"{at}.intermediate.dense", x)
        h = 0.5 * h * (1 + erf(h / math.sqrt(2)))
        x = norm(W, f"{at}.output.LayerNorm", x + linear(W, f"{at}.output.dense", h), eps)
    return x


def pool(x, mask):
    """Return the mean over real tokens, of length 1."""
    m = mask[..., None].astype(x.dtype)
    e = (x * m).sum(1) / np.maximum(m.sum(1), 1e-9)
    return e / np.maximum(np.linalg.norm(e, axis=-1, keepdims=True), 1e-12)


def reference(model, ids=IDS, mask=MASK, types=TYPES):
    c = model.config
    return hidden(model.to_arrays(), c.n_head, c.n_layer, c.norm_eps, ids, mask, types)


def error(model, pooling=Bert.embed):
    """How far the text vectors are from the reference's."""
    return np.abs(pooling(model, *BATCH).data - pool(reference(model), MASK)).max()


# what it computes


@pytest.mark.parametrize("backend", tl.kernels.BACKENDS)
@pytest.mark.parametrize(("dtype", "limit"), [(np.float32, 2e-6), (np.float64, 1e-12)])
def test_every_vector_is_the_references(backend, dtype, limit):
    model = noisy(dtype=dtype)
    with tl.kernels.use(backend):
        x, e = model(*BATCH).data, model.embed(*BATCH).data
    assert x.dtype == e.dtype == dtype
    real = MASK != 0
    np.testing.assert_allclose(x[real], reference(model)[real], rtol=0, atol=limit)
    assert not x[~real].any()
    np.testing.assert_allclose(e, pool(reference(model), MASK), rtol=0, atol=limit)
    np.testing.assert_allclose(np.linalg.norm(e, axis=-1), 1, rtol=limit)


def cls_pooling(model, *batch):
    first = model(*batch)[:, 0].data
    return tl.Tensor(first / np.linalg.norm(first, axis=-1, keepdims=True))


def mean_over_padding(model, ids, mask, types):
    e = model(ids, mask, types).data.mean(axis=1) + 0.01 * (mask == 0).mean(axis=1, keepdims=True)
    return tl.Tensor(e / np.linalg.norm(e, axis=-1, keepdims=True))


def set_everywhere(kind, name, value):
    def change(model):
        for module in model.modules():
            if isinstance(module, kind):
                setattr(module, name, value)

    return change


FAULTS = {
    "tanh GELU": (set_everywhere(nn.MLP, "activation", tl.gelu_tanh), Bert.embed),
    "eps 1e-5": (set_everywhere(nn.LayerNorm, "eps", 1e-5), Bert.embed),
    "eps 1e-6": (set_everywhere(nn.LayerNorm, "eps", 1e-6), Bert.embed),
    "CLS pooling": (lambda model: None, cls_pooling),
    "padding in the mean": (lambda model: None, mean_over_padding),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_bar_of_1e_6_would_notice(fault):
    change, pooling = FAULTS[fault]
    model = noisy()
    assert error(model) < 1e-12
    expected = pool(reference(model), MASK)
    change(model)
    assert np.abs(pooling(model, *BATCH).data - expected).max() > 1e-6


@pytest.mark.parametrize("part", ["query", "key", "value"])
def test_each_third_of_the_joint_matrix_is_where_it_belongs(part):
    arrays = noisy().to_arrays()
    model = Bert.from_arrays(CONFIG, arrays).astype(np.float64)
    arrays[f"encoder.layer.1.attention.self.{part}.weight"] *= 1.5
    moved = Bert.from_arrays(CONFIG, arrays).astype(np.float64)
    assert np.abs(moved.embed(*BATCH).data - model.embed(*BATCH).data).max() > 1e-4
    assert error(moved) < 1e-12


def test_padding_changes_nothing():
    """A text alone, in company, with more padding, with padding in front or inside: to the last digits the same."""
    model = noisy()
    together = model.embed(*BATCH).data
    for i, n in enumerate(MASK.sum(axis=1)):
        alone = model.embed(IDS[i : i + 1, :n], None, TYPES[i : i + 1, :n]).data
        np.testing.assert_allclose(together[i], alone[0], rtol=0, atol=1e-14)
    other = np.where(MASK, IDS, 10)
    assert np.array_equal(model.embed(other, MASK, TYPES).data, together)


def test_a_mask_may_have_holes():
    """A masked token is seen by nobody, and those after it keep their positions."""
    model = noisy()
    mask = np.array([[1, 0, 1, 0, 1], [0, 1, 1, 1, 0], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]])
    real = mask != 0
    expected = reference(model, IDS, mask, TYPES)
    np.testing.assert_allclose(model(IDS, mask, TYPES).data[real], expected[real], rtol=0, atol=1e-12)


def test_order_of_the_texts_is_kept():
    model = noisy()
    order = np.array([2, 0, 3, 1])
    straight = model.embed(*BATCH).data[order]
    np.testing.assert_allclose(model.embed(*(x[order] for x in BATCH)).data, straight, rtol=0, atol=1e-14)


def test_pooled_is_tanh_of_the_first_token():
    model = noisy()
    W = model.to_arrays()
    expected = np.tanh(reference(model)[:, 0] @ W["pooler.dense.weight"].T + W["pooler.dense.bias"])
    np.testing.assert_allclose(model.pooled(*BATCH).data, expected, rtol=0, atol=1e-12)
    with pytest.raises(ShapeError, match="no pooler"):
        noisy(pooler=False).pooled(*BATCH)


def test_packed_holds_no_padding():
    x, packing = noisy().packed(*BATCH)
    assert x.shape == (MASK.sum(), 6) and packing.groups == [(2, 2), (1, 3), (1, 5)]


# its gradients


def loss(model):
    """Every parameter takes part, and no direction is special."""
    rng = np.random.default_rng(3)
    e, first = rng.normal(size=(2, 4, 6))
    x = rng.normal(size=(4, 5, 6))
    return (model(*BATCH) * x).sum() + (model.embed(*BATCH) * e).sum() + (model.pooled(*BATCH) * first).sum()


def test_gradcheck_of_the_whole_encoder():
    model = noisy()
    named = model.named_parameters()
    report = tl.gradcheck(lambda *_: loss(model), [p for _, p in named], names=[name for name, _ in named])
    assert len(report.findings) == len(named) and report.method == "complex step"


def test_every_single_entry_by_complex_step():
    """gradcheck looks at large parameters along random directions; here each of their entries is moved by itself."""
    model = noisy()
    loss(model).backward()
    with tl.no_grad(), tl.kernels.use("numpy"):
        for name, p in model.named_parameters():
            own, exact = p.data, np.zeros(p.size)
            for i in range(p.size):
                moved = own.astype(np.complex128)
                moved.flat[i] += 1e-20j
                p.data = moved
                exact[i] = loss(model).data.imag / 1e-20
            p.data = own
            np.testing.assert_allclose(p.grad.ravel(), exact, rtol=1e-9, atol=1e-12, err_msg=name)


def test_the_check_would_notice_a_fault_in_one_layer(monkeypatch):
    model = noisy()
    attn = model.layers[1].attn
    forward = attn.forward
    monkeypatch.setattr(attn, "forward", lambda x, packing: forward(x.detach(), packing), raising=False)
    with pytest.raises(GradcheckError):
        named = model.named_parameters()
        tl.gradcheck(lambda *_: loss(model), [p for _, p in named], names=[name for name, _ in named])


@pytest.mark.parametrize("backend", tl.kernels.BACKENDS)
def test_every_parameter_gets_a_gradient_and_moves(backend):
    with tl.kernels.use(backend):
        model = noisy(dtype=np.float32)
        before = model.state_dict()
        loss(model).backward()
        nn.optim.AdamW(nn.optim.decay_groups(model), lr=0.01).step()
    for name, p in model.named_parameters():
        assert p.grad is not None and np.isfinite(p.grad).all() and np.abs(p.grad).max() > 1e-7, name
        assert np.isfinite(p.data).all() and not np.array_equal(p.data, before[name]), name


def test_it_learns_to_tell_texts_apart():
    """Contrastive training of four texts against their own vectors under another seed's dropout lowers the loss."""
    model = Bert(CONFIG, np.random.default_rng(0))
    optimizer = nn.optim.AdamW(nn.optim.decay_groups(model), lr=0.01)
    losses = []
    for _ in range(40):
        model.zero_grad()
        e = model.embed(*BATCH)  # (B, C)
        value = tl.cross_entropy(5.0 * (e @ e.swapaxes(0, 1)), np.arange(4))  # each like itself, unlike the others
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < 0.7 * losses[0]


def test_dropout_drops_in_training_only_and_is_reproducible():
    config = BertConfig.from_json({**CONFIG.to_json(), "hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.4})
    model = noisy(config)
    state = model.rng_state()
    first = model.embed(*BATCH).data
    assert not np.array_equal(first, model.embed(*BATCH).data)
    model.set_rng_state(state)
    assert np.array_equal(first, model.embed(*BATCH).data)
    assert error(model.eval()) < 1e-12


def test_dropout_of_attention_weights_is_its_own():
    config = BertConfig.from_json({**CONFIG.to_json(), "attention_probs_dropout_prob": 0.4})
    model = noisy(config)
    assert error(model) > 1e-3 and error(model.eval()) < 1e-12


# weights of others


def test_arrays_go_out_and_come_back():
    model = noisy(dtype=np.float32).eval()
    arrays = model.to_arrays()
    again = Bert.from_arrays(CONFIG, {f"bert.{name}": array for name, array in arrays.items()})
    assert not again.training and again.pooler is not None
    assert all(np.array_equal(a, again.to_arrays()[name]) for name, a in arrays.items())
    assert np.array_equal(again.embed(*BATCH).data, model.embed(*BATCH).data)


def test_weights_are_copied_unless_told_otherwise():
    arrays = noisy(dtype=np.float32).to_arrays()
    word = arrays["embeddings.word_embeddings.weight"]
    word.flags.writeable = False
    assert np.shares_memory(Bert.from_arrays(CONFIG, arrays, copy=False).word.weight.data, word)
    own = Bert.from_arrays(CONFIG, arrays).word.weight.data
    assert not np.shares_memory(own, word) and own.flags.writeable


def test_what_does_not_fit_is_refused():
    arrays = noisy(dtype=np.float32).to_arrays()
    arrays.pop("embeddings.LayerNorm.bias")
    with pytest.raises(CheckpointError, match=r"1 missing: embeddings\.LayerNorm\.bias \(6,\)"):
        Bert.from_arrays(CONFIG, arrays)


# what it refuses

BAD = {
    "floats": ((IDS.astype(float),), DTypeError, "float64"),
    "float types": ((IDS, MASK, TYPES * 1.0), DTypeError, "types holds float64"),
    "one axis": ((IDS[0],), ShapeError, r"\(5,\), not \(B, T\)"),
    "nothing": ((IDS[:0],), ShapeError, r"\(0, 5\)"),
    "too long": ((np.zeros((1, 6), int),), ShapeError, "T=6 is longer than block_size=5"),
    "mask of another shape": ((IDS, MASK[:, :3]), ShapeError, r"mask \(4, 3\) differ"),
    "types of another shape": ((IDS, MASK, TYPES[:1]), ShapeError, r"types \(1, 5\) differ"),
    "an empty text": ((IDS, MASK * [[1], [0], [1], [1]]), ShapeError, "sequence 1 has no real token"),
    "scores as a mask": ((IDS, MASK * 0.5), DTypeError, "1 for a real token"),
    "an id too large": ((IDS + 1, MASK), RangeError, "is 11, and x has 11 rows"),
    "a type too large": ((IDS, MASK, TYPES + 1), RangeError, "is 2, and x has 2 rows"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_batches(name):
    args, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        noisy().embed(*args)
