"""What a verdict is made of: letters, drawn sizes, calls, comparisons, shrinking, pasting, and the single diagnoses."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.autograd.diagnosis import few, guess, guesses
from tinyllm.autograd.draw import Sample, given
from tinyllm.learn.checks import letters
from tinyllm.learn.checks.call import Call, Outcome, attempt
from tinyllm.learn.checks.compare import close, difference, error_of
from tinyllm.learn.checks.draw import ROUNDS, Growing, samples_of
from tinyllm.learn.checks.problem import Plain
from tinyllm.learn.checks.trial import tried
from tinyllm.learn.diagnosis.breakdown import arity, is_stub, lettered, place
from tinyllm.learn.diagnosis.mutants import alike
from tinyllm.learn.diagnosis.paste import code, literal
from tinyllm.learn.diagnosis.shrink import shrunk
from tinyllm.learn.diagnosis.when import parted
from tinyllm.learn.slots.slot import Slot

SOFTMAX = Slot.of("tinyllm.kernels.softmax:softmax")
rng = np.random.default_rng(5)

# letters


def test_letters_of_a_shapes_line_in_either_form():
    attend = Slot.of("tinyllm.kernels.attention:attend").docstring
    before, after = letters.read(attend)
    assert before["k"] == before["v"] == ("...", "S", "D") and after["w"] == ("...", "T", "S")
    op = letters.read("Multiply.\n\nForward   y = a b\nShapes    a (..., M, K), b (..., K, N) -> y (..., M, N), more\n")
    assert op[0] == {"a": ("...", "M", "K"), "b": ("...", "K", "N")} and op[1] == {"y": ("...", "M", "N")}


def test_letters_without_a_shapes_line():
    assert letters.read("Turn rows of scores x (..., V) into rows (sums of 1).\n\nExample:\n    f(y) (A, B)")[0] == {
        "x": ("...", "V")
    }
    assert letters.read(None) == ({}, {}) == letters.read("Nothing here (or there).")


def test_letters_keep_their_places_beside_products():
    before, _ = letters.read("Shapes: x (B, T, H D) -> y (B, H, T, D)")
    assert letters.sizes(before, {"x": np.zeros((2, 3, 20))}) == {"B": 2, "T": 3, "H D": 20}


def test_entries_and_values_are_named():
    assert letters.entry((1, 2), ("T", "D")) == "t=1 d=2" and letters.entry((1, 2), ()) == "[1, 2]"
    assert letters.described("H", 3) == "H=3" and letters.described("x", np.zeros((2, 3)), ("T",)) == "x (2, T=3)"
    assert lettered("shapes (2,5) and (9,)", {"T": 5, "D": 2}) == "shapes (D=2, T=5) and (9,)"


# drawing


def test_sizes_are_distinct_primes_but_for_one_square_case():
    for seed in range(20):
        drawn = [Growing(seed, round).sizes("B T S D") for round in range(ROUNDS)]
        square = [sizes for sizes in drawn if len(set(sizes)) == 1]
        assert len(square) == 1 and all(len(set(sizes)) == 4 for sizes in drawn if sizes not in square)
        assert max(map(max, drawn)) <= 13 and sum(drawn[0]) <= sum(drawn[-1])


def test_samples_are_drawn_once_per_round_only_where_they_grow():
    assert len(samples_of(lambda draw: [draw(2, 3), draw(1)], 0)) == 2
    grown = samples_of(lambda draw: [draw(*draw.sizes("T V"))], 0)
    assert len(grown) == ROUNDS
    sizes = [sample.args[0].size for sample in grown]
    assert sizes == sorted(sizes)


def test_digits_make_numbers_short():
    assert np.array_equal(Growing(1, 2, digits=0)(4), np.round(Growing(1, 2)(4)))


# calls


def test_a_call_works_on_copies():
    x = np.zeros(2)

    def changes(x, items):
        x += 1
        items.append(3)

    outcome = attempt(changes, Call((x, [1]), {}, ("x", "items")))
    assert outcome.changed == ("x", "items") and not x.any()
    assert attempt(lambda x: x, Call((x,), {}, ("x",))).changed == ()


def test_generators_may_be_drawn_from_and_stay_as_they_were():
    generator = np.random.default_rng(0)
    call = Call((generator,), {}, ("rng",))
    one, two = (attempt(lambda rng: rng.random(), call) for _ in range(2))
    assert one.value == two.value and one.changed == ()


def test_a_call_never_warns_and_compiles_nothing():
    from tinyllm import kernels

    outcome = attempt(lambda x: (np.log(x), kernels.backend()), Call((np.zeros(1),)))
    assert np.isneginf(outcome.value[0]).all() and outcome.value[1] == "numpy"


# comparing


@pytest.mark.parametrize(
    ("got", "expected", "kind"),
    [
        (None, 1.0, "kind"),
        ("a", 1.0, "kind"),
        (np.zeros((2, 1)), np.zeros(2), "shape"),
        (np.zeros(2), np.zeros(2, bool), "dtype"),
        (np.zeros(2), np.zeros(2, int), "dtype"),
        (np.zeros(2, complex), np.zeros(2), "dtype"),
        (np.array([np.nan, 1]), np.ones(2), "nan"),
        (np.array([1.0, 1 + 1e-6]), np.ones(2), "values"),
        (np.array([-np.inf, 0.0]), np.array([0.0, 0.0]), "nan"),
        (np.array([0.0, 0.0]), np.array([-np.inf, 0.0]), "values"),
        ([1, 2], [1, 3], "values"),
        ("a", "b", "values"),
        (1, None, "values"),
    ],
)
def test_what_differs_is_told_by_kind(got, expected, kind):
    assert difference(got, expected, 1e-9).kind == kind


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (1, 1.0),
        (np.float64(2), 2.0),
        (np.array(2.0), 2.0),
        (np.array([-np.inf, np.nan]), np.array([-np.inf, np.nan])),
        (np.ones(2) + 1e-14, np.ones(2)),
        ((1, 2.0), [1, 2.0]),
        ("a", "a"),
        (None, None),
        (np.zeros(0), np.zeros(0)),
    ],
)
def test_what_agrees(got, expected):
    assert difference(got, expected, 1e-9) is None


def test_rounding_is_measured_by_what_went_in():
    assert close(1e-14, 0.0, 1e-9) and not close(1e-10, 0.0, 1e-9) and close(1e-10, 0.0, 1e-9, around=1e4)
    assert error_of(np.array([1.0, 3.0]), np.array([1.0, 2.0])) == 0.5
    assert error_of(np.array([np.nan]), np.array([1.0])) == float("inf")


# shrinking and pasting


def test_shrinking_finds_the_smallest_that_still_fails():
    def wrong(x):  # only rows of three or more are wrong
        p = SOFTMAX.function(x)
        return p * 2 if x.shape[-1] > 2 else p

    problem = Plain(SOFTMAX, lambda draw: [])
    sample = given(rng.normal(size=(5, 7)))
    trial = shrunk(wrong, tried(wrong, problem, sample, problem.answer(sample)), "result")
    assert trial.call.args[0].shape == (1, 3) and np.array_equal(trial.call.args[0], np.round(trial.call.args[0]))
    assert "x = np.array([[" in code(trial, "result") and "# result, yours" in code(trial, "result")


def test_shrinking_moves_indices_and_shapes_along():
    slot = Slot.of("tinyllm.autograd.unbroadcast:unbroadcast")
    problem = Plain(slot, lambda draw: [])
    sample = given(rng.normal(size=(5, 7)), (7,))
    wrong = lambda dy, shape: dy.sum(0) * 2  # noqa: E731
    trial = shrunk(wrong, tried(wrong, problem, sample, problem.answer(sample)), "result")
    assert (
        trial.ok is False and trial.sample.args[0].size <= 2 and trial.sample.args[1] == trial.sample.args[0].shape[1:]
    )


def test_shrinking_never_leaves_what_is_right():
    """Rounded to ties, a maximum has no derivative: such a sample is no counter-example."""
    from tinyllm.learn.checks import gradcheck_slot

    slot = Slot.of("tinyllm.autograd.ops.reduce:Max.backward")
    wrong = lambda ctx, dy: 2 * slot.function(ctx, dy)  # noqa: E731
    check = gradcheck_slot()
    posed = next(p for p in check.posed(slot) if p.sample.args[0].shape == (3, 7))
    trial = shrunk(wrong, tried(wrong, posed.problem, posed.sample, posed.answer), "dx")
    assert tried(slot.function, trial.problem, trial.sample, trial.answer).ok


@pytest.mark.parametrize(
    "value",
    [
        np.array([[1.0, -np.inf], [np.nan, 2.5]]),
        np.array([True, False]),
        np.array([1, 2]),
        np.ones(2, np.float32),
        np.zeros((0, 3)),
        (1,),
        [1.0, (2, None)],
        slice(1, None),
        {"axis": -1},
        "text",
        True,
        -np.inf,
        np.float64(2.0),
    ],
)
def test_literals_are_python(value):
    again = eval(literal(value), {"np": np})
    assert np.array_equal(np.asarray(again, dtype=object), np.asarray(value, dtype=object)) or repr(again) == repr(
        value
    )


# guesses

BASE = rng.normal(size=(3, 5))
SQUARE = rng.normal(size=(4, 4))
ROWS = np.exp(SQUARE)
GUESSES = [
    (BASE, BASE * 5**0.5, {"D": 5.0}, "sqrt(D)"),
    (BASE, BASE / 15, {"B": 3.0, "T": 5.0}, "1/(B T)"),
    (BASE, BASE / 0.7 / 5**0.5, {"scale": 0.7, "D": 5.0}, "1/(scale sqrt(D))"),
    (BASE, -3 * BASE, {"N": 3.0}, "minus N"),
    (BASE, BASE + np.log(5), {"V": 5.0}, "ln(V) more"),
    (BASE, BASE[::-1], {}, "backwards along axis 0"),
    (BASE, np.roll(BASE, 1, 1), {}, "shifted by one along axis 1"),
    (BASE, np.exp(BASE), {}, "a logarithm is missing"),
    (np.exp(BASE), BASE, {}, "an exponential is missing"),
    (BASE, BASE * np.array([[1.0], [2.0], [3.0]]), {}, "factor of its own"),
    (ROWS / ROWS.sum(1, keepdims=True), ROWS / ROWS.sum(0), {}, "sums to 1 along axis 0, and should along axis 1"),
    (BASE, BASE.reshape(5, 3).T.copy(), {}, "wrong places"),
    (np.tril(SQUARE), SQUARE, {}, "a mask is missing"),
    (np.tri(3, 5, 2, dtype=bool), np.tri(3, 5, 1, dtype=bool), {}, "1 too far to the left"),
    (np.tri(3, 5, 2, dtype=bool), np.tri(3, 5, 0, dtype=bool), {}, "left end"),
    (np.tri(3, 3, dtype=bool), ~np.tri(3, 3, dtype=bool), {}, "other way round"),
    (np.tri(3, 4, dtype=bool), ~np.tri(3, 4, -1, dtype=bool), {}, "other triangle"),
    (np.tri(3, 4, dtype=bool), np.ones((3, 4), bool), {}, "True everywhere"),
]


@pytest.mark.parametrize(("expected", "got", "known", "words"), GUESSES)
def test_a_guess_was_tried_on_the_numbers(expected, got, known, words):
    assert words in guess(got, expected, 1e-9, known)


def test_no_guess_where_nothing_is_wrong_or_known():
    assert list(guesses(BASE, BASE, 1e-9)) == []
    assert list(guesses(rng.normal(size=(3, 5)), BASE, 1e-9)) == []
    assert list(guesses(np.full((3, 5), np.nan), BASE, 1e-9)) == []


def test_a_few_wrong_entries_are_named():
    got = BASE.copy()
    got[1, 2] += 1
    assert "only 1 of 15 entries is wrong (first at [(1, 2)])" in few(got, BASE, 1e-9)
    assert few(got[:1, :1] + 1, BASE[:1, :1], 1e-9) == "" and few(BASE, BASE, 1e-9) == ""


def test_what_failing_inputs_have_in_common():
    problem = Plain(SOFTMAX, lambda draw: [])

    def trial(shape, factor):
        sample = Sample((rng.normal(size=shape),))
        return tried(lambda x: SOFTMAX.function(x) * factor, problem, sample, problem.answer(sample))

    many = [trial((4,), 1), trial((2, 4), 2), trial((3, 2), 2)]
    assert "more than one axis" in next(parted(many, "result"))
    assert list(parted(many[:1], "result")) == [] and list(parted(many[1:], "result")) == []


# likeness


def test_functions_are_alike_up_to_rounding():
    one, near, other = (Outcome(np.array([1.0, x])) for x in (2.0, 2.0 + 1e-12, 2.01))
    assert alike([one], [near]) and not alike([one], [other]) and not alike([one], [one, one])


def test_what_is_tiny_is_still_not_nothing():
    tiny, nothing = [Outcome(np.array([1e-20, 2e-20]))], [Outcome(np.zeros(2))]
    assert not alike(tiny, nothing) and alike(tiny, tiny)


def test_likeness_looks_at_errors_dtypes_and_changes():
    wrong, other = Outcome(error=ValueError("a")), Outcome(error=TypeError("a"))
    good = Outcome(np.ones(2))
    assert alike([good, wrong], [good, Outcome(error=ValueError("b"))]) and not alike([good, wrong], [good, other])
    assert alike([wrong], [wrong]) and not alike([wrong], [Outcome(error=ValueError("b"))])
    assert not alike([good], [Outcome(np.ones(2, np.float32))])
    assert not alike([good], [Outcome(np.ones(2), changed=("x",))])
    assert not alike([Outcome((1, True))], [Outcome((1, False))]) and alike(
        [Outcome({"a": 1.0})], [Outcome({"a": 1.0})]
    )


# breaking down


def test_a_stub_is_told_by_its_error():
    assert is_stub(NotImplementedError("10.3"), "10.3") and not is_stub(NotImplementedError("what"), "10.3")
    assert not is_stub(None, "10.3") and not is_stub(ValueError("10.3"), "10.3")


def test_arguments_that_do_not_fit():
    assert arity(lambda x: x, SOFTMAX, Call((1,))) == ""
    assert arity(lambda x, y: x, SOFTMAX, Call((1,))) == "It takes (x, y), and is called with (x)."
    assert "axis=..." in arity(lambda x: x, SOFTMAX, Call((1,), {"axis": 1}))


def test_the_place_of_a_function():
    assert place(test_the_place_of_a_function).startswith("diagnosis/test_findings.py:")
    assert place(len) == ""
