"""Module: what it finds, what it saves, how it refuses."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import nn
from tinyllm.errors import CheckpointError, DTypeError, InPlaceError


class Pair(nn.Module):
    """Two layers in a list, one by name, one in a dictionary, and things that do not count."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.first = nn.Linear(3, 5, rng=rng)
        self.stack = [nn.Linear(5, 5, bias=False, rng=rng), (nn.LayerNorm(5),)]
        self.named = {"out": nn.Linear(5, 2, rng=rng)}
        self.scale = nn.Parameter(np.float32([2.0]))
        self.nothing = None
        self.plain = tl.Tensor([1.0])
        self.note = "not a parameter"

    def forward(self, x):
        return self.named["out"](self.stack[1][0](self.stack[0](self.first(x)))) * self.scale


class Tied(nn.Module):
    def __init__(self):
        rng = np.random.default_rng(0)
        self.embed = nn.Embedding(7, 3, rng=rng)
        self.head = nn.Linear(3, 7, rng=rng)
        self.head.weight = self.embed.weight

    def forward(self, idx):
        return self.head(self.embed(idx))


NAMES = [
    "scale",
    "first.weight",
    "first.bias",
    "stack.0.weight",
    "stack.1.0.gain",
    "stack.1.0.bias",
    "named.out.weight",
    "named.out.bias",
]


def test_parameters_are_found_wherever_they_are_and_in_order():
    model = Pair()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert model.parameters() == [p for _, p in model.named_parameters()]
    assert model.count_parameters() == 1 + 20 + 25 + 10 + 12
    assert [name for name, _ in model.named_modules()] == ["", "first", "stack.0", "stack.1.0", "named.out"]


def test_a_tied_weight_comes_once_and_collects_from_both_uses():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["embed.weight", "head.bias"]
    assert model.count_parameters() == 21 + 7
    model(np.array([1, 4])).sum().backward()
    both = model.embed.weight.grad
    rows = model.embed.weight.data[[1, 4]]
    through_head = np.tile(rows.sum(axis=0), (7, 1))
    through_embedding = np.zeros((7, 3), dtype=np.float32)
    through_embedding[[1, 4]] = model.embed.weight.data.sum(axis=0)
    np.testing.assert_allclose(both, through_head + through_embedding, rtol=1e-5)


def test_a_tied_weight_stays_tied_after_loading_and_copying():
    model = Tied()
    model.load_state_dict({name: array + 1 for name, array in model.state_dict().items()})
    assert model.head.weight is model.embed.weight
    twin = copy.deepcopy(model)
    assert twin.head.weight is twin.embed.weight is not model.embed.weight
    np.testing.assert_array_equal(twin(np.array([2])).data, model(np.array([2])).data)


def test_a_module_that_is_used_twice_is_listed_once_and_cycles_end():
    model = nn.Module()
    model.a = nn.Linear(3, 3, rng=np.random.default_rng(0))
    model.b = model.a
    model.a.parent = model
    assert len(model.modules()) == 2
    assert [name for name, _ in model.named_parameters()] == ["a.weight", "a.bias"]


def test_a_missing_attribute_is_an_attribute_error_never_none():
    model = Pair()
    with pytest.raises(AttributeError, match="frist"):
        _ = model.frist
    assert not hasattr(model, "weight")
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)


def test_train_and_eval_reach_everything_and_return_the_module():
    model = Pair()
    assert model.training and model.eval() is model
    assert not any(m.training for m in model.modules())
    assert all(m.training for m in model.train().modules())
    assert Pair().training


def test_zero_grad_forgets_every_gradient():
    model = Pair()
    model(np.ones((2, 3), dtype=np.float32)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_the_state_goes_around_exactly():
    model, other = Pair(0), Pair(1)
    x = np.random.default_rng(2).normal(size=(2, 3)).astype(np.float32)
    assert not np.array_equal(model(x).data, other(x).data)
    other.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(model(x).data, other(x).data)


def test_a_state_is_a_snapshot():
    model = Pair()
    state = model.state_dict()
    model.scale.data += 1
    assert state["scale"][0] == 2.0
    model.load_state_dict(state)
    state["scale"][0] = 9.0
    assert model.scale.data[0] == 2.0


def test_loading_keeps_the_arrays_and_the_dtype():
    model = Pair()
    held = model.first.weight.data
    model.load_state_dict({name: array.astype(np.float64) for name, array in model.state_dict().items()})
    assert model.first.weight.data is held and held.dtype == np.float32


def test_what_does_not_fit_is_listed_with_the_nearest_name_and_nothing_changes():
    model = Pair()
    before = model.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    state["frist.weight"] = state.pop("first.weight")
    state["stack.0.weight"] = np.zeros((5, 7), dtype=np.float32)
    state["zzz"] = np.zeros(1)
    with pytest.raises(CheckpointError) as caught:
        model.load_state_dict(state)
    text = str(caught.value)
    assert "1 missing: first.weight;" in text
    assert "2 unexpected: frist.weight (nearest: first.weight), zzz;" in text
    assert "stack.0.weight (5, 7) float32, not (5, 5) float32" in text
    assert "\n" not in text
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_complex_and_textual_weights_are_refused():
    model = Pair()
    for wrong in (np.zeros(1, dtype=complex), np.array(["a"])):
        with pytest.raises(CheckpointError, match="scale"):
            model.load_state_dict({**model.state_dict(), "scale": wrong})


def test_many_faults_are_cut_short():
    with pytest.raises(CheckpointError, match=r"8 missing: scale, .*stack\.1\.0\.gain and 3 more"):
        Pair().load_state_dict({})


def test_nothing_is_edited_under_a_live_graph():
    model = Pair()
    loss = model(np.ones((2, 3), dtype=np.float32)).sum()
    with pytest.raises(InPlaceError):
        model.load_state_dict(model.state_dict())
    with pytest.raises(InPlaceError):
        model.astype(np.float64)
    loss.backward()
    model.load_state_dict(model.state_dict())


def test_astype_casts_parameters_and_buffers():
    model = nn.Module()
    model.linear = nn.Linear(3, 5, rng=np.random.default_rng(0))
    model.norm = nn.BatchNorm(5)
    assert model.astype(np.float64) is model
    assert {a.dtype for a in model.state_dict().values()} == {np.dtype(np.float64)}
    assert model.linear.weight.grad is None and model.linear.weight.requires_grad
    with pytest.raises(DTypeError, match="int32"):
        model.astype(np.int32)


def test_buffers_are_saved_but_not_parameters():
    norm = nn.BatchNorm(3)
    assert list(norm.state_dict()) == ["gain", "bias", "running_mean", "running_var"]
    assert len(norm.parameters()) == 2


def test_the_state_of_the_generators_goes_around_through_json():
    rng = np.random.default_rng(5)
    model = nn.Module()
    model.a, model.b = nn.Dropout(0.5, rng=rng), nn.Dropout(0.5, rng=rng)
    model.c = nn.Dropout(0.5, rng=np.random.default_rng(6))
    assert len(model.generators()) == 2  # a and b share one
    x = np.ones((11, 7), dtype=np.float32)
    model.a(x)
    saved = json.loads(json.dumps(model.rng_state()))
    first = [layer(x).data for layer in (model.a, model.b, model.c)]
    model.set_rng_state(saved)
    again = [layer(x).data for layer in (model.a, model.b, model.c)]
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[0], first[1])


def test_states_of_other_generators_are_refused():
    model = nn.Dropout(0.5, rng=np.random.default_rng(5))
    with pytest.raises(CheckpointError, match="0 states for 1"):
        model.set_rng_state([])
    with pytest.raises(CheckpointError, match="generator"):
        model.set_rng_state([{"bit_generator": "MT19937"}])


def test_repr_shows_shapes_counts_runs_and_ties():
    model = nn.Module()
    rng = np.random.default_rng(0)
    model.blocks = [nn.Linear(3, 5, rng=rng) for _ in range(4)]
    model.drop = nn.Dropout(0.25, rng=rng)
    model.tied = Tied()
    lines = repr(model).splitlines()
    assert lines[0].split() == ["Module", "108"]
    assert lines[1].split() == ["blocks.0-3", "4", "x", "Linear", "weight", "(5,", "3),", "bias", "(5,)", "80"]
    assert "p=0.25" in lines[2]
    assert "weight (7, 3) tied, bias (7,)" in lines[5] and lines[5].endswith(" 7")
    assert len({len(line) for line in lines}) == 1  # the counts end in one column


def test_repr_of_a_parameter():
    assert repr(nn.Parameter(np.zeros((3, 5)))) == "Parameter of shape (3, 5), float64"
