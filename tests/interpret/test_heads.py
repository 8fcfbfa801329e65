"""Head importance: slopes are derivatives, silence is columns of zeros, and idle heads matter to nobody."""

from __future__ import annotations

import numpy as np
import pytest

import tinyllm as tl
from tinyllm.errors import NaNError, ShapeError
from tinyllm.interpret import HeadImportance, ablation, gate_slopes, gated, head_importance


def loss(model, idx, targets):
    model.eval()
    with tl.no_grad():
        return model.loss(idx, targets).item()


def scaled_by_hand(model, layer, head, factor):
    """The columns of one head in the matrix that mixes them, times a factor, without any gate."""
    attn = model.blocks[layer].attn
    attn.out.weight.data[:, head * attn.D : (head + 1) * attn.D] *= factor


def test_slopes_are_numeric_derivatives(model, batch):
    slopes = gate_slopes(model, *batch)
    assert slopes.shape == (3, 2, model.blocks[0].attn.H)
    h = 1e-5
    for b, layer, head in np.ndindex(slopes.shape):
        one = batch[0][b : b + 1], batch[1][b : b + 1]
        kept = model.blocks[layer].attn.out.weight.data.copy()
        scaled_by_hand(model, layer, head, 1 + h)
        above = loss(model, *one)
        model.blocks[layer].attn.out.weight.data[...] = kept
        scaled_by_hand(model, layer, head, 1 - h)
        below = loss(model, *one)
        model.blocks[layer].attn.out.weight.data[...] = kept
        assert slopes[b, layer, head] == pytest.approx((above - below) / (2 * h), rel=1e-6, abs=1e-9)


def test_the_gates_pass_a_gradient_check(model, batch):
    gates = [tl.Tensor(np.ones((3, block.attn.H)), requires_grad=True) for block in model.blocks]

    def gated_loss(*_):
        with gated(model, gates):
            return model.loss(*batch)

    model.eval()
    assert tl.gradcheck(gated_loss, gates)


def test_a_silenced_head_is_columns_of_zeros(model, batch):
    whole, rise = ablation(model, *batch)
    assert whole == pytest.approx(loss(model, *batch), rel=1e-12)
    for layer, head in np.ndindex(rise.shape):
        kept = model.blocks[layer].attn.out.weight.data.copy()
        scaled_by_hand(model, layer, head, 0.0)
        assert rise[layer, head] == pytest.approx(loss(model, *batch) - whole, abs=1e-12)
        model.blocks[layer].attn.out.weight.data[...] = kept


def test_both_measures_of_the_same_data(model, batch):
    found = head_importance(model, *batch)
    slopes = gate_slopes(model, *batch)
    np.testing.assert_allclose(found.by_gate, np.abs(slopes).mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.slope, slopes.mean(0), rtol=1e-12)
    np.testing.assert_array_equal(found.by_ablation, ablation(model, *batch)[1])
    assert (found.by_gate >= np.abs(found.slope) - 1e-12).all()


def test_to_first_order_silence_is_the_slope(model, batch):
    """Made quiet enough, a head's contribution is small, and the two measures agree."""
    for layer, block in enumerate(model.blocks):
        for head in range(block.attn.H):
            scaled_by_hand(model, layer, head, 1e-4)
    found = head_importance(model, *batch)
    np.testing.assert_allclose(found.by_ablation, -found.slope, rtol=0.02, atol=1e-3 * np.abs(found.slope).max())


def test_targets_that_do_not_count(model, batch):
    idx, targets = batch
    targets = targets.copy()
    targets[1] = -100
    targets[2, 1:] = -100
    found = head_importance(model, idx, targets)
    slopes = gate_slopes(model, idx, targets)
    assert not slopes[1].any()
    np.testing.assert_allclose(slopes[0], gate_slopes(model, idx[:1], targets[:1])[0], rtol=1e-9)
    np.testing.assert_allclose(slopes[2], gate_slopes(model, idx[2:, :1], targets[2:, :1])[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.by_gate, np.abs(slopes[[0, 2]]).mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.slope, (5 * slopes[0] + slopes[2]) / 6, rtol=1e-12)


def test_in_the_handmade_model_head_0_of_both_layers_is_all_that_matters(handmade):
    ids = np.tile(np.random.default_rng(0).permutation(9)[:6], 2)[None]
    targets = ids[:, 1:].copy()
    targets[:, :6] = -100  # what comes the first time nobody can know
    found = head_importance(handmade, ids[:, :-1], targets)
    assert found.loss < 0.5
    assert (found.by_ablation[:, 0] > 1).all() and np.abs(found.by_ablation[:, 1]).max() < 1e-12
    assert (found.by_gate[:, 0] > 1e-3).all() and found.by_gate[:, 1].max() < 1e-12
    assert sorted(found.ranking()[:2]) == [(0, 0), (1, 0)]


def test_a_planted_fault_would_show(model, batch, monkeypatch):
    """Gates on the wrong heads: slopes and silence come out in another order."""
    right = head_importance(model, *batch)
    from tinyllm.interpret import heads

    forward = heads.GatedOut.forward
    monkeypatch.setattr(
        heads.GatedOut, "forward", lambda self, a: forward(heads.GatedOut(self.out, self.gates[:, ::-1]), a)
    )
    wrong = head_importance(model, *batch)
    np.testing.assert_allclose(wrong.by_ablation, right.by_ablation[:, ::-1], atol=1e-12)
    assert not np.allclose(wrong.by_ablation, right.by_ablation, rtol=1e-3)
    assert not np.allclose(wrong.by_gate, right.by_gate, rtol=1e-3)


def test_ranking_is_by_silence():
    rise = np.array([[0.0, 3.0], [-1.0, 0.0]])
    assert HeadImportance(rise * 0, rise * 0, rise, 1.0).ranking() == [(0, 1), (0, 0), (1, 1), (1, 0)]


def test_bad_input(model, batch):
    idx, targets = batch
    with pytest.raises(ShapeError, match=r"idx \(3, 5\) and targets \(3, 4\) are not both \(B, T\)"):
        head_importance(model, idx, targets[:, 1:])
    with pytest.raises(ShapeError, match="not both"):
        ablation(model, idx[0], targets[0])
    with pytest.raises(ShapeError, match="no target counts"):
        gate_slopes(model, idx, np.full_like(targets, -100))
    with pytest.raises(ShapeError, match="one Tensor"), gated(model, [tl.Tensor(np.ones((1, 1)))]):
        pass
    model.norm.gain.data[0] = np.nan
    for call in (gate_slopes, ablation):
        with pytest.raises(NaNError, match="losses hold NaN"):
            call(model, idx, targets)
