"""InfoNCE: equal to its parts, blind to lengths and to masked documents; and what a slip in it would look like."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.autograd.battery import check_op, samples_of
from tinyllm.autograd.ops.contrast import MASKS, InfoNce
from tinyllm.errors import GradcheckError

TARGETS = np.array([2, 0, 3])
RIGHT_FORWARD, RIGHT_BACKWARD = InfoNce.forward, InfoNce.backward


def in_parts(q, d, targets, masked, temperature):
    """The same loss from the ops that were there before."""
    u, v = (x / (x * x).sum(axis=1, keepdims=True).sqrt() for x in (q, d))
    s = (u @ v.transpose()) / temperature
    return tl.cross_entropy(s.masked_fill(masked, -np.inf), targets)


def run(loss, q, d, masked=MASKS, temperature=0.05):
    q, d = tl.Tensor(q, requires_grad=True), tl.Tensor(d, requires_grad=True)
    y = loss(q, d, TARGETS, masked, temperature=temperature)
    y.backward()
    return y.item(), q.grad, d.grad


@pytest.fixture
def given(rng):
    return rng.standard_normal((3, 7)), rng.standard_normal((5, 7))


@pytest.mark.parametrize("temperature", [0.01, 0.05, 1.0])
def test_it_is_the_loss_of_its_parts(given, temperature):
    for mine, other in zip(
        run(tl.info_nce, *given, temperature=temperature), run(in_parts, *given, temperature=temperature), strict=True
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


def test_gradients_by_central_differences(given):
    """To 1e-6, through the normalization and the temperature, for every number of q and d."""
    _, dq, dd = run(tl.info_nce, *given)
    for x, dx in zip(given, (dq, dd), strict=True):
        for place in np.ndindex(x.shape):
            kept, ends = x[place], []
            for h in (1e-6, -1e-6):
                x[place] = kept + h
                ends.append(tl.info_nce(*given, TARGETS, MASKS).item())
            x[place] = kept
            assert abs((ends[0] - ends[1]) / 2e-6 - dx[place]) <= 1e-6 * max(1.0, abs(dx[place]))


def test_lengths_do_not_count_and_gradients_do_not_change_them(given):
    q, d = given
    value, dq, dd = run(tl.info_nce, q, d)
    longer, dq_longer, _ = run(tl.info_nce, 8 * q, d / 4)
    assert longer == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(dq_longer, dq / 8, rtol=1e-9)
    for x, dx in ((q, dq), (d, dd)):
        assert np.abs((x * dx).sum(axis=1)).max() < 1e-12 * np.abs(dx).max()


def test_another_positive_is_not_pushed_away(given):
    q, d = given
    value, _, dd = run(tl.info_nce, q, d, np.tile(np.arange(5) == 1, (3, 1)))
    assert not dd[1].any() and dd[[0, 2, 3, 4]].any(axis=1).all()
    d[1] *= -3
    assert run(tl.info_nce, q, d, np.tile(np.arange(5) == 1, (3, 1)))[0] == value


def test_a_low_temperature_neither_overflows_nor_gives_nan(given):
    q, d = (x.astype(np.float32) for x in given)
    for temperature in (1e-4, 1e4):
        assert all(np.isfinite(x).all() for x in run(tl.info_nce, q, d, temperature=temperature))
    assert run(tl.info_nce, q, d)[1].dtype == np.float32


# three slips, each of which some check above has to notice


def no_temperature(ctx, dloss):
    """1 / temperature is forgotten on the way back."""
    temperature = ctx.saved[-1]
    dq, dd, *rest = RIGHT_BACKWARD(ctx, dloss)
    return dq * temperature, dd * temperature, *rest


def no_jacobian(ctx, dloss):
    """The gradient of a direction is taken for that of its vector."""
    u, _, v, _, p, own, temperature = ctx.saved
    ds = p.copy()
    ds[own] -= 1
    ds *= dloss / (len(u) * temperature)
    return ds @ v, ds.T @ u, None, None


def positives_as_negatives(ctx, q, d, targets, masked=None, *, temperature=0.05):
    """The mask is ignored; forward and backward agree, so no gradient check can see it."""
    return RIGHT_FORWARD(ctx, q, d, targets, None, temperature=temperature)


@pytest.mark.parametrize("mutant", [no_temperature, no_jacobian])
def test_the_gradient_check_kills(mutant, monkeypatch):
    for sample in samples_of(InfoNce):
        assert check_op(InfoNce, sample).ok
    monkeypatch.setattr(InfoNce, "backward", mutant)
    killed = 0
    for sample in samples_of(InfoNce):
        try:
            killed += not check_op(InfoNce, sample).ok
        except GradcheckError:
            killed += 1
    assert killed >= len(samples_of(InfoNce)) - 1  # at a temperature of 1 the first one is no slip


def test_positives_as_negatives_are_noticed(given, monkeypatch):
    monkeypatch.setattr(InfoNce, "forward", positives_as_negatives)
    with pytest.raises(AssertionError):
        test_another_positive_is_not_pushed_away(given)
    with pytest.raises(AssertionError):
        test_it_is_the_loss_of_its_parts(given, 0.05)
