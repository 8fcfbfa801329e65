"""Optimizers against their formulas, written out by hand step by step; and against torch where it is installed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.errors import CheckpointError, ConfigError, DTypeError, InPlaceError
from tinyllm.nn import optim

SHAPES = ((3, 5), (7,), (7, 2))
STEPS = 7
RATES = [0.01 * (step + 1) for step in range(STEPS)]  # another learning rate in every step


def start(dtype=np.float64):
    rng = np.random.default_rng(0)
    return [nn.Parameter(rng.normal(size=shape).astype(dtype)) for shape in SHAPES]


def gradients(step):
    rng = np.random.default_rng(100 + step)
    return [rng.normal(size=shape) for shape in SHAPES]


def groups(params):
    return [
        optim.Group([p for p in params if p.ndim == 2]),
        optim.Group([p for p in params if p.ndim == 1], decays=False),
    ]


def run(optimizer, params, steps=range(STEPS)):
    for step in steps:
        for p, g in zip(params, gradients(step), strict=True):
            p.grad = g.astype(p.dtype)
        optimizer.step(lr=RATES[step])
    return [p.data for p in params]


def by_hand(rule, decay=0.0):
    """Apply ``rule(p, g, state, lr, decay, t)`` to every parameter on its own; it returns the new p."""
    arrays = [p.data for p in start()]
    states = [{} for _ in arrays]
    for step in range(STEPS):
        for i, g in enumerate(gradients(step)):
            own = decay if arrays[i].ndim == 2 else 0.0
            arrays[i] = rule(arrays[i], g, states[i], RATES[step], own, step + 1)
    return arrays


def sgd(p, g, state, lr, decay, t):
    state["v"] = 0.9 * state.get("v", 0) + g
    return p - lr * state["v"]


def plain_sgd(p, g, state, lr, decay, t):
    return p - lr * g


def adam(p, g, state, lr, decay, t):
    state["m"] = 0.8 * state.get("m", 0) + 0.2 * g
    state["v"] = 0.95 * state.get("v", 0) + 0.05 * g**2
    mhat, vhat = state["m"] / (1 - 0.8**t), state["v"] / (1 - 0.95**t)
    return p - lr * mhat / (np.sqrt(vhat) + 1e-3)


def adamw(p, g, state, lr, decay, t):
    return adam(p - lr * decay * p, g, state, lr, 0.0, t)


def lion(p, g, state, lr, decay, t):
    m = state.get("m", np.zeros_like(g))
    state["m"] = 0.95 * m + 0.05 * g
    return p - lr * (np.sign(0.8 * m + 0.2 * g) + decay * p)


ADAM = {"betas": (0.8, 0.95), "eps": 1e-3}
CASES = {
    "sgd": (lambda p: optim.SGD(p, lr=1.0, momentum=0.9), sgd, 0.0),
    "plain sgd": (lambda p: optim.SGD(p, lr=1.0), plain_sgd, 0.0),
    "adam": (lambda p: optim.Adam(p, **ADAM), adam, 0.0),
    "adamw": (lambda p: optim.AdamW(groups(p), weight_decay=0.3, **ADAM), adamw, 0.3),
    "lion": (lambda p: optim.Lion(groups(p), betas=(0.8, 0.95), weight_decay=0.3), lion, 0.3),
}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", CASES)
def test_it_is_its_formula(name, backend):
    make, rule, decay = CASES[name]
    params = start()
    arrays = [p.data for p in params]
    with tl.kernels.use(backend):
        moved = run(make(params), params)
    for got, held, expected in zip(moved, arrays, by_hand(rule, decay), strict=True):
        assert got is held  # in place
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", CASES)
def test_float32_stays_float32_and_close(name, backend):
    make, rule, decay = CASES[name]
    params = start(np.float32)
    optimizer = make(params)
    with tl.kernels.use(backend):
        moved = run(optimizer, params)
    assert {a.dtype for a in moved} == {np.dtype(np.float32)}
    assert {a.dtype for arrays in optimizer.state for a in arrays} == {np.dtype(np.float32)}
    for got, expected in zip(moved, by_hand(rule, decay), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_layout_of_a_gradient_does_not_matter(backend):
    p = nn.Parameter(np.ones((3, 5), dtype=np.float32))
    q = nn.Parameter(np.ones((3, 5), dtype=np.float32))
    p.grad = gradients(0)[0].astype(np.float32)
    q.grad = np.asfortranarray(p.grad)
    with tl.kernels.use(backend):
        optim.AdamW([p]).step()
        optim.AdamW([q]).step()
    np.testing.assert_array_equal(p.data, q.data)
    assert not np.array_equal(p.data, np.ones((3, 5)))


def muon(p, g, state, lr, decay, t):
    """The update written with a singular value decomposition, and the polynomial on the singular values alone."""
    state["v"] = 0.9 * state.get("v", 0) + g
    u, s, vt = np.linalg.svd(g + 0.9 * state["v"], full_matrices=False)
    s = s / np.sqrt((s**2).sum())
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    rows, columns = p.shape
    return p * (1 - lr * decay) - lr * math.sqrt(max(1, rows / columns)) * (u * s) @ vt


def test_muon_is_its_formula_on_tall_and_wide_matrices():
    for i in (0, 2):
        p, expected, state = start()[i], start()[i].data, {}
        optimizer = optim.Muon([p], momentum=0.9, weight_decay=0.3)
        for step in range(STEPS):
            g = gradients(step)[i]
            p.grad = g
            optimizer.step(lr=RATES[step])
            expected = muon(expected, g, state, RATES[step], 0.3, step + 1)
        np.testing.assert_allclose(p.data, expected, rtol=1e-5)


def test_muon_takes_matrices_only():
    with pytest.raises(ConfigError, match=r"\(7,\) is not a matrix"):
        optim.Muon(start())


@pytest.mark.parametrize("name", CASES)
def test_a_saved_optimizer_goes_on_as_if_it_had_not_stopped(name):
    make = CASES[name][0]
    whole = run_from(make, range(STEPS))
    params = start()
    optimizer = make(params)
    run(optimizer, params, range(3))
    saved = optimizer.state_dict()
    run(optimizer, params, range(3, STEPS))  # a snapshot: going on must not touch it
    resumed = start()
    for p, half in zip(resumed, run_from(make, range(3)), strict=True):
        p.data[...] = half
    second = make(resumed)
    second.load_state_dict(saved)
    assert second.steps == 3
    for got, expected in zip(run(second, resumed, range(3, STEPS)), whole, strict=True):
        np.testing.assert_array_equal(got, expected)


def run_from(make, steps):
    params = start()
    return run(make(params), params, steps)


def test_the_state_is_flat_and_named():
    state = optim.AdamW(start()).state_dict()
    assert list(state) == ["steps", "m.0", "v.0", "m.1", "v.1", "m.2", "v.2"]
    assert state["steps"] == 0 and state["m.2"].shape == (7, 2)


def test_a_foreign_state_is_refused_and_changes_nothing():
    optimizer = optim.AdamW(start())
    with pytest.raises(CheckpointError, match=r"AdamW: .*3 names differ, such as v\.0"):
        optimizer.load_state_dict(optim.Lion(start()).state_dict())
    state = {name: np.ones_like(value) for name, value in optimizer.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"v.2 has shape \(2, 7\), not \(7, 2\)"):
        optimizer.load_state_dict({**state, "v.2": np.ones((2, 7))})
    assert not any(array.any() for arrays in optimizer.state for array in arrays)


def test_a_parameter_without_a_gradient_stays_and_keeps_its_moments():
    params = start()
    before = params[1].data.copy()
    optimizer = optim.AdamW(params)
    params[0].grad = gradients(0)[0]
    optimizer.step()
    np.testing.assert_array_equal(params[1].data, before)
    assert not optimizer.state[1][0].any() and optimizer.state[0][0].any()


def test_the_own_rate_holds_where_none_is_given():
    p = start()[0]
    before = p.data.copy()
    p.grad = gradients(0)[0]
    optim.SGD([p], lr=0.25).step()
    np.testing.assert_allclose(p.data, before - 0.25 * p.grad, rtol=1e-15)


def test_a_step_under_a_live_graph_is_refused_before_anything_moves():
    params = start()
    optimizer = optim.SGD(params, lr=0.1)
    for p, g in zip(params, gradients(0), strict=True):
        p.grad = g
    before = [p.data.copy() for p in params]
    loss = (params[2] * params[2]).sum()
    with pytest.raises(InPlaceError, match="SGD"):
        optimizer.step()
    assert optimizer.steps == 0
    for p, old in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.data, old)
    loss.backward()
    optimizer.step()


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW, optim.Lion])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_step_that_scales_is_a_step_with_scaled_gradients(kind, backend):
    moved = []
    for scale in (0.25, 1.0):  # a power of two: no rounding, whichever is multiplied first
        params = start(np.float32)
        optimizer = kind(params, lr=0.01)
        rng = np.random.default_rng(1)
        with tl.kernels.use(backend):
            for _ in range(3):
                for p in params:
                    p.grad = (rng.normal(size=p.shape) * (0.25 / scale)).astype(np.float32)
                kept = [p.grad.copy() for p in params]
                optimizer.step(grad_scale=scale)
                assert all(np.array_equal(p.grad, g) for p, g in zip(params, kept, strict=True))
        moved.append([p.data for p in params])
    for a, b in zip(*moved, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_adamw_for_all_is_adamw_for_each_and_leaves_what_has_no_gradient(backend):
    rng, params = np.random.default_rng(2), start(np.float32)
    optimizer = optim.AdamW([optim.Group(params[:2]), optim.Group(params[2:], decays=False)], lr=0.01)
    alone = [(p.data.copy(), np.zeros_like(p.data), np.zeros_like(p.data)) for p in params]
    with tl.kernels.use(backend):
        for step in (1, 2, 3):
            for i, p in enumerate(params):
                p.grad = None if i == 1 else rng.normal(size=p.shape).astype(np.float32)
                if p.grad is not None:
                    x, m, v = alone[i]
                    decay = optimizer.weight_decay if i < 2 else 0.0
                    tl.kernels.adamw(x, p.grad, m, v, 0.01, *optimizer.betas, optimizer.eps, decay, step)
            optimizer.step()
    for p, own, (x, m, v) in zip(params, optimizer.state, alone, strict=True):
        for a, b in ((p.data, x), (own[0], m), (own[1], v)):
            np.testing.assert_array_equal(a, b)


def test_parameters_of_two_dtypes_are_refused():
    params = [nn.Parameter(np.ones(3, dtype=dtype)) for dtype in (np.float32, np.float64)]
    with pytest.raises(DTypeError, match="AdamW: parameters of float32 and float64"):
        optim.AdamW(params)


def test_moments_of_another_dtype_are_refused():
    layer = nn.Linear(3, 5, rng=np.random.default_rng(0))
    optimizer = optim.AdamW(layer.parameters())
    layer.astype(np.float64)(np.ones((2, 3))).sum().backward()
    with pytest.raises(DTypeError, match="make the optimizer after"):
        optimizer.step()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda p: optim.SGD([], lr=0.1), "no parameters"),
        (lambda p: optim.SGD([p, p], lr=0.1), "given twice"),
        (lambda p: optim.SGD([p], lr=-1.0), "lr is -1.0"),
        (lambda p: optim.SGD([p], lr=math.nan), "lr is nan"),
        (lambda p: optim.SGD([p], lr=0.1, momentum=1.0), "momentum is 1.0"),
        (lambda p: optim.Adam([p], betas=(0.9, 1.0)), "beta2 is 1.0"),
        (lambda p: optim.AdamW([p], weight_decay=-0.1), "weight_decay is -0.1"),
        (lambda p: optim.Lion([p], betas=(-0.1, 0.9)), "beta1 is -0.1"),
        (lambda p: optim.Muon([p], momentum=2.0), "momentum is 2.0"),
    ],
)
def test_settings_out_of_range_are_refused(make, match):
    with pytest.raises(ConfigError, match=match):
        make(start()[0])


def test_decay_groups_part_matrices_from_vectors():
    model = nn.Module()
    model.embed = nn.Embedding(7, 3, rng=np.random.default_rng(0))
    model.norm = nn.LayerNorm(3)
    model.head = nn.Linear(3, 7, bias=False, rng=np.random.default_rng(0))
    model.head.weight = model.embed.weight  # tied: once
    matrices, vectors = optim.decay_groups(model)
    assert matrices.params == [model.embed.weight] and matrices.decays
    assert vectors.params == [model.norm.gain, model.norm.bias] and not vectors.decays
    assert len(optim.decay_groups(model.norm)) == 1  # no empty group


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("SGD", lambda p: optim.SGD(p, lr=0.05, momentum=0.9)),
        ("Adam", lambda p: optim.Adam(p, lr=0.05)),
        ("AdamW", lambda p: optim.AdamW(p, lr=0.05, weight_decay=0.1)),
        ("Lion", lambda p: optim.Lion(p, lr=0.05)),
        ("Muon", lambda p: optim.Muon(p, lr=0.05)),
    ],
)
def test_each_goes_down_a_bowl(name, make):
    rng = np.random.default_rng(3)
    target = rng.normal(size=(5, 3)).astype(np.float32)
    p = nn.Parameter(np.zeros((5, 3), dtype=np.float32))
    optimizer = make([p])
    losses = []
    for _ in range(60):
        loss = ((p - target) ** 2.0).sum()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.2 * losses[0], name


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_it_is_torchs(name):
    torch = pytest.importorskip("torch", reason="the oracle tests need torch")
    twins = [torch.tensor(p.data.copy(), requires_grad=True) for p in start()]
    theirs = {
        "sgd": lambda: torch.optim.SGD(twins, lr=1.0, momentum=0.9),
        "adam": lambda: torch.optim.Adam(twins, **ADAM),
        "adamw": lambda: torch.optim.AdamW(
            [
                {"params": [t for t in twins if t.ndim == 2], "weight_decay": 0.3},
                {"params": [t for t in twins if t.ndim == 1], "weight_decay": 0.0},
            ],
            **ADAM,
        ),
    }[name]()
    for step in range(STEPS):
        for group in theirs.param_groups:
            group["lr"] = RATES[step]
        for twin, g in zip(twins, gradients(step), strict=True):
            twin.grad = torch.tensor(g)
        theirs.step()
    params = start()
    for got, twin in zip(run(CASES[name][0](params), params), twins, strict=True):
        np.testing.assert_allclose(got, twin.detach().numpy(), rtol=1e-12, atol=1e-14)
