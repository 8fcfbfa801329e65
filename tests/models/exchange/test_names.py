"""Tensors under other names: rows of ours, on their side or not; what is missing or extra is said with the nearest."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm import nn
from tinyllm.errors import CheckpointError
from tinyllm.models.exchange.names import (
    Renamed,
    blank,
    give,
    listed,
    refuse_another_head,
    refuse_other_names,
    refuse_other_shapes,
    take,
)

ENTRIES = [Renamed("weight", ("a", "b"), ((2, 3), (3, 3)), turned=True), Renamed("bias", ("c",), ((5,),))]


@pytest.fixture
def layer():
    return nn.Linear(3, 5, rng=np.random.default_rng(0))


def test_parts_are_rows_on_their_side(layer):
    arrays = give(layer, ENTRIES)
    np.testing.assert_array_equal(arrays["b"], layer.weight.data[2:].T)
    assert {name: array.shape for name, array in arrays.items()} == {"a": (3, 2), "b": (3, 3), "c": (5,)}
    assert all(np.shares_memory(arrays[name], layer.weight.data) for name in "ab")


def test_take_undoes_give(layer):
    other = nn.Linear(3, 5, rng=np.random.default_rng(1))
    arrays = {name: array.astype(np.float16).astype(np.float64) for name, array in give(other, ENTRIES).items()}
    take(layer, ENTRIES, arrays)
    np.testing.assert_array_equal(layer.weight.data, other.weight.data.astype(np.float16))
    assert layer.weight.data.dtype == np.float32


def test_shapes_that_do_not_fit_are_listed():
    arrays = {"a": np.ones((2, 3)), "b": np.ones((3, 3), int), "c": np.ones(5)}
    match = r"Toy: 2 tensors .*: a \(2, 3\) float64, not \(3, 2\), b \(3, 3\) int64, not \(3, 3\)"
    with pytest.raises(CheckpointError, match=match):
        refuse_other_shapes(ENTRIES, arrays, "Toy")
    refuse_other_shapes(ENTRIES, {"a": np.ones((3, 2)), "b": np.ones((3, 3)), "c": np.ones(5)}, "Toy")


def test_shapes_are_taken_from_who_knows_them_without_reading():
    class Told(dict):
        def about(self, name):
            return {"a": (3, 2), "b": (3, 3), "c": (6,)}[name], "float16"

    with pytest.raises(CheckpointError, match=r"1 tensors .*: c \(6,\) float16, not \(5,\)"):
        refuse_other_shapes(ENTRIES, Told(), "Toy")


def test_names_that_do_not_fit():
    refuse_other_names(ENTRIES, ["a", "b", "c", "x.buffer"], "Toy", lambda name: name.endswith("buffer"))
    with pytest.raises(CheckpointError, match=r"Toy: .* 1 missing: c; 1 extra: x\.buffer\. Try: find it"):
        refuse_other_names(ENTRIES, ["a", "b", "x.buffer"], "Toy", hints={"c": "find it"})


def test_a_tied_head_must_be_the_embedding():
    same = {"head": np.ones(3), "embedding": np.ones(3)}
    refuse_another_head(same, "head", "embedding", "Toy")
    refuse_another_head({"embedding": np.ones(3)}, "head", "embedding", "Toy")
    with pytest.raises(CheckpointError, match="Toy: the head is tied"):
        refuse_another_head({**same, "head": np.zeros(3)}, "head", "embedding", "Toy")


def test_listed():
    assert listed(["a", "b"]) == "a, b" and listed(list("abcdefgh")).endswith("e and 3 more")


def test_blank_models_are_zeros_of_the_dtype():
    def family(config, rng, init):
        return nn.Linear(*config, rng=rng, init=init)

    model = blank(family, (3, 5), np.float64)
    assert model.weight.data.dtype == np.float64 and not model.weight.data.any()
    assert blank(family, (3, 5), np.float32).weight.data.dtype == np.float32
