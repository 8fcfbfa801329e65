"""The checks one by one: what each asks, what it notices, and that it can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.autograd.draw import given
from tinyllm.errors import LearnError
from tinyllm.learn.checks import (
    gradcheck_slot,
    holds,
    improves,
    no_mutation,
    oracle,
    saves,
    shapes,
    vectors,
)
from tinyllm.learn.checks.check import all_posed
from tinyllm.learn.checks.gain import interval
from tinyllm.learn.exercise import Exercise
from tinyllm.learn.slots.slot import Slot

SOFTMAX = "tinyllm.kernels.softmax:softmax"
SOFTMAX_BACKWARD = "tinyllm.autograd.ops.fused:Softmax.backward"
SOFTMAX_FORWARD = "tinyllm.autograd.ops.fused:Softmax.forward"
ATTEND_BACKWARD = "tinyllm.kernels.attention:attend_backward"
ATTEND = "tinyllm.kernels.attention:attend"


def rows(draw):
    yield draw(*draw.sizes("T V"))


def seen(draw):
    T, S, D = draw.sizes("T S D")
    yield draw(T, D), draw(S, D), draw(S, D), np.ones((T, S), bool), 0.5


def lines(check, slot, function=None, *others):
    place = Slot.of(slot)
    record = Exercise("99.1", slot, 5, [check, *others], [], ("", "", ""), "")
    return list(check.run(function or place.function, place, record))


def marks(*arguments):
    return [line.mark for line in lines(*arguments)]


def test_shapes_tells_sizes_by_their_letters():
    (line,) = lines(shapes(), ATTEND_BACKWARD, None, gradcheck_slot("q k v", ATTEND, seen))
    assert line.mark == "ok" and line.text.startswith("dq dk dv (T=") and "S=" in line.text and "D=" in line.text


def test_shapes_refuses_what_only_broadcasts():
    (line,) = lines(shapes(), SOFTMAX, lambda x: x.sum(-1, keepdims=True), oracle(samples=rows))
    assert line.mark == "FAIL" and "yours" in line.text and "expected" in line.text


def test_shapes_says_nothing_of_values():
    assert marks(shapes(), SOFTMAX, np.zeros_like, oracle(samples=rows)) == ["ok"]


def test_gradients_of_an_op_come_with_a_line_each():
    found = lines(gradcheck_slot(), "tinyllm.autograd.ops.linalg:Matmul.backward")
    assert [line.name for line in found] == ["da", "db"] and all("rel err" in line.text for line in found)


def test_gradients_of_zeros_fail_although_a_softmax_sums_to_one():
    assert "FAIL" in marks(gradcheck_slot(), SOFTMAX_BACKWARD, lambda ctx, dp: np.zeros_like(dp))


@pytest.mark.parametrize("factor", [1.001, 0.999, 1 + 1e-8, -1])
def test_gradients_that_are_nearly_right_fail(factor):
    right = Slot.of(SOFTMAX_BACKWARD).function
    assert "FAIL" in marks(gradcheck_slot(), SOFTMAX_BACKWARD, lambda ctx, dp: factor * right(ctx, dp))


def test_gradients_find_the_arguments_of_a_plain_backward_by_name():
    check = gradcheck_slot("q k v", ATTEND, seen)
    call = check.posed(Slot.of(ATTEND_BACKWARD))[0].called()
    assert call.names == ("q", "k", "v", "w", "dout", "scale")


def test_gradients_whose_arguments_nobody_knows_are_the_records_mistake():
    check = gradcheck_slot("x", SOFTMAX, rows)
    with pytest.raises(LearnError, match="where does its argument 'p' come from"):
        lines(check, "tinyllm.kernels.softmax:softmax_backward")


def test_gradients_take_names_of_outputs_or_an_arrangement():
    slot = "tinyllm.kernels.softmax:softmax_backward"
    assert marks(gradcheck_slot("x", SOFTMAX, rows, outputs="p"), slot) == ["ok"]
    arranged = gradcheck_slot("x", SOFTMAX, rows, arrange=lambda inputs, outputs, dys: (outputs[0], dys[0]))
    assert marks(arranged, slot) == ["ok"]


def test_gradients_by_central_differences():
    assert marks(gradcheck_slot(analytic=False), SOFTMAX_BACKWARD) == ["ok"]


def test_a_vacuous_gradient_check_is_refused():
    check = gradcheck_slot(
        "q k v", ATTEND, lambda draw: [(draw(3, 2), draw(1, 2), draw(1, 2), np.ones((3, 1), bool), 1.0)]
    )
    with pytest.raises(LearnError, match="vacuous"):
        lines(check, ATTEND_BACKWARD)


def test_a_gradient_check_needs_samples():
    with pytest.raises(LearnError, match="needs its forward"):
        lines(gradcheck_slot("x"), SOFTMAX)
    with pytest.raises(LearnError, match="too large"):
        lines(gradcheck_slot(samples=lambda draw: [draw(50, 50)]), SOFTMAX_BACKWARD)


def test_subgradients_on_kinks_are_asked_for():
    slot = "tinyllm.autograd.ops.reduce:Max.backward"

    def first(ctx, dy):
        largest, axes = ctx.saved
        ties = largest.sum(axis=axes, keepdims=True)
        return np.where(largest, dy.reshape(ties.shape), 0)

    assert marks(gradcheck_slot(), slot) == ["ok"] and "FAIL" in marks(gradcheck_slot(), slot, first)


def test_oracle_asks_another_function_or_the_library():
    def slow(x):
        return np.array([[np.exp(v) / sum(np.exp(row)) for v in row] for row in x])

    assert marks(oracle(slow, rows), SOFTMAX) == ["ok"] == marks(oracle(samples=rows), SOFTMAX, slow)
    (line,) = lines(oracle(slow, rows, name="a slow softmax"), SOFTMAX, lambda x: 2 * slow(x))
    assert line.mark == "FAIL" and line.name == "a slow softmax"


def test_oracle_wants_what_is_refused_to_be_refused():
    check = oracle(samples=lambda draw: [(draw(2, 3), (4,))])
    slot = "tinyllm.autograd.unbroadcast:unbroadcast"
    assert marks(check, slot) == ["ok"] and marks(check, slot, lambda dy, shape: dy) == ["FAIL"]


def test_oracle_of_an_ops_forward_takes_its_own_samples():
    assert marks(oracle(), SOFTMAX_FORWARD) == ["ok"]
    with pytest.raises(LearnError, match="needs samples"):
        lines(oracle(), SOFTMAX)


def test_vectors_are_exact():
    check = vectors([((1.0, 1.0), 1 / np.log(2)), (given(0.0, bytes_per_token=2.0), 0.0)])
    slot = "tinyllm.train.bits:bits_per_byte"
    assert marks(check, slot) == ["ok"]
    assert marks(check, slot, lambda loss, bytes_per_token: loss / np.log(2) * (1 + 1e-6)) == ["FAIL"]


def test_vectors_of_texts_lists_and_booleans():
    slot = "tinyllm.errors:nearest"
    assert marks(vectors([(("n_heads", ["n_head", "n_layer"]), "n_head"), (("x", []), None)]), slot) == ["ok"]
    check = vectors([(("n_heads", ["n_head"]), "n_head")])
    assert marks(check, slot, lambda word, candidates: "other") == ["FAIL"]
    assert marks(check, slot, lambda word, candidates: None) == ["FAIL"]


def test_holds_grows_and_stops_at_the_smallest():
    sizes = []

    def property_of(f, draw):
        x = draw(*draw.sizes("T V"))
        sizes.append(x.size)
        return None if x.shape[-1] < 5 or np.allclose(f(x).sum(-1), 1) else "rows do not sum to 1"

    assert marks(holds("rows", property_of), SOFTMAX) == ["ok"]
    assert sizes[0] < sizes[-1]
    (line,) = lines(holds("rows", property_of), SOFTMAX, lambda x: np.exp(x))
    assert line.mark == "FAIL" and line.name == "property: rows" and line.text == "rows do not sum to 1"


def test_holds_takes_an_exception_of_its_own_as_a_violation():
    def strict(f, draw):
        assert f(draw(2, 3)).min() > 1, "too small"

    (line,) = lines(holds("large", strict), SOFTMAX)
    assert line.mark == "FAIL" and line.text == "too small"


def test_holds_tells_exceptions_of_the_function():
    (line,) = lines(holds("rows", lambda f, draw: f(draw(2)) and None), SOFTMAX, lambda x: x.nowhere)
    assert line.mark == "FAIL" and "AttributeError" in line.text


def test_no_mutation_looks_at_every_input():
    def changes(x):
        x -= x.max(-1, keepdims=True)
        return x

    (line,) = lines(no_mutation(), SOFTMAX, changes, oracle(samples=rows))
    assert line.mark == "FAIL" and line.text == "changes x in place"
    assert marks(no_mutation(), SOFTMAX, None, oracle(samples=rows)) == ["ok"]


def test_no_mutation_looks_into_the_context():
    def changes(ctx, dp):
        p = ctx.saved[0]
        p *= dp
        return p

    (line,) = lines(no_mutation(), SOFTMAX_BACKWARD, changes, gradcheck_slot())
    assert line.mark == "FAIL" and "ctx.saved[0]" in line.text


def test_saves_compares_in_order():
    def wrong_order(ctx, x, *, axis=-1):
        p = np.exp(x - x.max(axis, keepdims=True))
        p = p / p.sum(axis, keepdims=True)
        ctx.save(axis % x.ndim, p)
        return p

    assert marks(saves(), SOFTMAX_FORWARD) == ["ok"] and marks(saves(), SOFTMAX_FORWARD, wrong_order) == ["FAIL"]
    with pytest.raises(LearnError, match="forward of an op"):
        lines(saves(), SOFTMAX_BACKWARD)


def test_improves_is_paired_and_has_an_interval():
    def measure(f, draw):
        noise = float(draw())
        return f(1.0) + 10 * noise  # the same noise for both: only pairing sees through it

    check = improves("level", measure, over=lambda x: x, by=0.5)
    assert marks(check, SOFTMAX, lambda x: x + 1) == ["ok"]
    assert marks(check, SOFTMAX, lambda x: x + 0.1) == ["FAIL"]
    assert marks(check, SOFTMAX, lambda x: [][1]) == ["FAIL"]
    low, high = interval(np.array([1.0, 2.0, 3.0]))
    assert 1 <= low < 2 < high <= 3


def test_the_version_changes_with_what_is_asked():
    def one(f, draw):
        return None

    def two(f, draw):
        return "no"

    assert holds("a", one).version == holds("a", one).version != holds("a", two).version
    assert vectors([(1, 2)]).version != vectors([(1, 3)]).version
    assert gradcheck_slot("x").version != gradcheck_slot("y").version
    assert len({check().version for check in (shapes, saves, no_mutation)}) == 3


def test_the_same_seed_draws_the_same_inputs():
    slot = Slot.of(SOFTMAX)
    record = Exercise(
        "99.1",
        SOFTMAX,
        5,
        [oracle(samples=rows), holds("x", lambda f, draw: f(draw(3)).sum() < 0)],
        [],
        ("", "", ""),
        "",
    )
    first, again, other = (all_posed(record, slot, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a.sample.args[0], b.sample.args[0]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.sample.args[0], b.sample.args[0]) for a, b in zip(first, other, strict=True))
