"""The loss picture: what is on its axes, which point is the best, and what happens with odd runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import LossCurve, draw_loss
from tinyllm.viz.loss import smoothed


def long_run(**more):
    steps = np.arange(1, 301)
    return LossCurve(steps, 2 + 2 / np.sqrt(steps), [0, 100, 200, 300], [4.0, 2.3, 2.1, 2.2], **more)


def test_axes_name_their_units():
    fig = draw_loss(long_run(lr=np.linspace(0, 1e-3, 300), bytes_per_token=1.0))
    top, bottom = fig.axes
    assert top.get_ylabel() == "loss (nats per token)"
    assert bottom.get_ylabel() == "learning rate"
    assert bottom.get_xlabel() == "step (updates of the parameters)"
    (right,) = top.child_axes
    assert right.get_ylabel() == "bits per byte"


def test_bits_per_byte_is_nats_over_ln_2_and_bytes():
    fig = draw_loss(long_run(bytes_per_token=3.5))
    fig.draw_without_rendering()
    top = fig.axes[0]
    (right,) = top.child_axes
    assert np.allclose(np.array(right.get_ylim()) * math.log(2) * 3.5, top.get_ylim())


def test_the_best_point_is_marked_and_named():
    fig = draw_loss(long_run())
    stars = [line for line in fig.axes[0].lines if line.get_marker() == "*"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in stars] == [(200, 2.1)]
    labels = [text.get_text() for text in fig.axes[0].get_legend().get_texts()]
    assert labels[-1] == "best validation: 2.100 at step 200"
    assert len(labels) == 4  # one batch, mean, validation, best
    assert "2.100, at step 200" in fig.get_label()


def test_validation_differs_from_training_by_more_than_color():
    lines = {line.get_label(): line for line in draw_loss(long_run()).axes[0].lines}
    assert lines["validation"].get_linestyle() == "--"
    assert lines["validation"].get_marker() == "o"


def test_one_spike_does_not_press_the_curve_flat():
    train = list(2 + 2 / np.sqrt(np.arange(1, 1001)))
    train[500] = 1000.0
    low, high = draw_loss(LossCurve(range(1000), train)).axes[0].get_ylim()
    assert low < 2.06
    assert high < 6


@pytest.mark.parametrize(
    "curve",
    [
        LossCurve(),
        LossCurve([0], [math.nan]),
        LossCurve([0, 1], [3.0, math.inf], [0], [math.nan], [0.0, 0.0]),
        LossCurve(val_steps=[5], val=[2.0]),
        LossCurve([3], [2.0], lr=[0.1]),
    ],
)
def test_odd_runs_are_drawn_all_the_same(curve, tmp_path):
    from tinyllm.viz import save

    assert save(draw_loss(curve), tmp_path / "loss.png").exists()


def test_an_empty_run_says_so():
    assert [text.get_text() for text in draw_loss(LossCurve()).axes[0].texts] == ["no step was taken"]


def test_the_best_point_ignores_what_is_no_number():
    assert LossCurve(val_steps=[0, 1, 2], val=[math.nan, 3.0, math.inf]).best() == (1, 3.0)
    assert LossCurve().best() is None


@pytest.mark.parametrize(
    "part", [{"train": [1.0]}, {"val": [1.0]}, {"steps": [1, 2], "train": [1.0, 1.0], "lr": [1.0]}]
)
def test_values_must_fit_their_steps(part):
    with pytest.raises(ShapeError, match="values of"):
        LossCurve(**part)


def test_smoothing_keeps_a_line_straight_and_leaves_nan_out():
    line = np.arange(30.0)
    assert np.allclose(smoothed(line, 5)[2:-2], line[2:-2])
    assert smoothed([1.0, math.nan, 3.0], 3).tolist() == [1.0, 2.0, 3.0]
    assert math.isnan(smoothed([math.nan], 3)[0])
