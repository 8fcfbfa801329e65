"""The side-by-side picture: the worst slice, one scale of color, and what differs is framed."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ShapeError
from tinyllm.viz import Beside, draw_beside, save


def test_three_panels_and_what_differs_is_framed(rng):
    reference = rng.normal(size=(3, 5))
    yours = reference.copy()
    yours[1, 2] += 1
    fig = draw_beside(Beside(yours, reference, "dq"))
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["yours (3, 5)", "reference (3, 5)", "yours - reference"]
    assert len(fig.axes[0].lines) == 1
    assert fig.axes[0].images[0].norm.vmin == fig.axes[1].images[0].norm.vmin
    assert fig.get_label() == "1 of 15 entries differ"


def test_the_slice_with_the_worst_entry_is_drawn(rng):
    reference = rng.normal(size=(2, 3, 4, 5))
    yours = reference.copy()
    yours[1, 2, 3, 4] = np.nan
    assert Beside(yours, reference).slices()[2] == "[1, 2]"
    assert "in this slice" in draw_beside(Beside(yours, reference)).get_label()


def test_shapes_that_differ_have_no_difference(rng):
    fig = draw_beside(Beside(rng.normal(size=(3, 5)), rng.normal(size=5)))
    assert len(fig.axes) == 2
    assert "yours has shape (3, 5), the reference (5,)" in fig.get_label()


@pytest.mark.parametrize("shape", [(), (4,), (1, 1), (100, 100)])
def test_any_size_is_drawn_the_same_every_time(rng, shape, tmp_path):
    data = Beside(rng.normal(size=shape), rng.normal(size=shape))
    first = save(draw_beside(data), tmp_path / "a.svg").read_bytes()
    assert save(draw_beside(data), tmp_path / "b.svg").read_bytes() == first


def test_nothing_to_draw():
    with pytest.raises(ShapeError, match="empty"):
        draw_beside(Beside(np.zeros((0, 3)), np.zeros((0, 3))))
