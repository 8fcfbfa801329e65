"""The descent picture: the curve, its first phase, its end."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ShapeError
from tinyllm.interpret import tsne
from tinyllm.viz import Descent, descent_lines, draw_descent


def test_the_curve_of_a_layout(rng):
    found = tsne(rng.normal(size=(12, 3)), perplexity=3, steps=60)
    data = Descent(found.steps, found.losses, found.exaggerated)
    fig = draw_descent(data)
    ax = fig.axes[0]
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.transpose([found.steps, found.losses]))
    assert [text.get_text().strip() for text in ax.texts] == ["early exaggeration", f"{found.losses[-1]:.3f}"]
    (shade,) = ax.patches
    assert shade.get_x() + shade.get_width() == 15
    assert "early exaggeration ends at step 15." in fig.get_label()


def test_one_phase_only():
    fig = draw_descent(Descent([0, 5], [2.0, 1.0], measure="loss"))
    assert not fig.axes[0].patches and fig.axes[0].get_ylabel() == "loss"
    assert fig.get_label() == "Line chart of loss against steps: from 2.000 at step 0 to 1.000 at step 5."


def test_lines():
    lines = descent_lines(Descent([0, 100], [2.0, 1.0]), width=30)
    assert lines[0] == "KL(p || q), nats" and lines[1].startswith("2.000") and len(lines) == 10


def test_what_does_not_fit_is_refused():
    for steps, losses in (([], []), ([1], [1.0, 2.0])):
        with pytest.raises(ShapeError, match="Descent"):
            Descent(steps, losses)
