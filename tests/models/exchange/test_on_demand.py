"""Tensors made when they are asked for, and not before."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.models.exchange.on_demand import OnDemand


def test_nothing_is_made_before_somebody_looks():
    made = []

    def make():
        made.append("a")
        return np.arange(3)

    tensors = OnDemand({"a": make, "b": lambda: np.zeros(2)})
    assert list(tensors) == ["a", "b"] and len(tensors) == 2 and "a" in tensors and "c" not in tensors
    assert tensors.keys() - {"a"} == {"b"} and not made
    assert tensors["a"].tolist() == [0, 1, 2] and made == ["a"]
    with pytest.raises(KeyError):
        tensors["c"]
