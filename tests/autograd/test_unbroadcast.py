"""Undoing broadcasting, against what broadcasting does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.autograd.unbroadcast import unbroadcast

sizes = st.sampled_from([0, 1, 2, 3, 5])


@given(st.lists(sizes, max_size=4), st.data())
def test_it_is_the_transpose_of_broadcast(shape, data):
    """<dy, broadcast(x)> = <unbroadcast(dy), x> for every x: the definition of a transpose."""
    small = [data.draw(st.sampled_from([1, size])) for size in shape]
    small = small[data.draw(st.integers(0, len(small))) :]
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=small), rng.normal(size=shape)
    back = unbroadcast(dy, tuple(small))
    assert back.shape == tuple(small)
    assert np.isclose((dy * np.broadcast_to(x, shape)).sum(), (back * x).sum())


def test_an_equal_shape_is_returned_as_it_is():
    dy = np.ones((3, 5))
    assert unbroadcast(dy, (3, 5)) is dy


@pytest.mark.parametrize("shape", [(4,), (2, 3, 5), (3, 4)])
def test_what_cannot_be_is_refused(shape):
    with pytest.raises(ValueError, match="cannot belong"):
        unbroadcast(np.ones((3, 5)), shape)
