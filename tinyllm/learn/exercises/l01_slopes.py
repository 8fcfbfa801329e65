"""Lesson 01: slopes you can trust. The derivative by trying, in three ways, and the check that is built on it."""

from __future__ import annotations

import numpy as np

from ...autograd.numeric import central_difference, complex_step
from ..checks import holds, no_mutation
from ..exercise import Exercise, Lesson, Mutant
from ..rules import RIGHT, WRONG, Steady


def _cubic(x):
    return x**3 - 2.0 * x


def _waves(x):
    return np.sin(x) * np.exp(0.5 * x)


def _mixed(x):
    return (x**2).sum() * np.sin(x).sum()


# by hand: the slope of each function at x in direction u
_SLOPES = (
    (_cubic, lambda x, u: (3 * x**2 - 2.0) * u),
    (_waves, lambda x, u: (np.cos(x) + 0.5 * np.sin(x)) * np.exp(0.5 * x) * u),
    (
        _mixed,
        lambda x, u: 2 * (x * u).sum() * np.sin(x).sum() + (x**2).sum() * (np.cos(x) * u).sum(),
    ),
)


def _along(rtol):
    """The slope in a direction, held against the one found by hand."""

    def check(f, draw):
        x = draw(*draw.sizes(2))
        u = draw(*x.shape)
        for g, slope in _SLOPES:
            got, right = f(g, x, u), slope(x, u)
            if np.shape(got) != np.shape(right):
                return (
                    f"{g.__name__}: a slope of shape {np.shape(got)}, where the function's value has {np.shape(right)}"
                )
            off = np.abs(got - right).max() / np.abs(right).max()
            if not off <= rtol:
                return f"{g.__name__}: off by {off:.0e} of the slope found by hand" + _order_of_h(off)
        return None

    return check


def _order_of_h(off):
    """An error of about h = 1e-5 has its own look."""
    return ", which is about h: one side only, or an entry that is not back in its place" if 1e-6 < off < 1e-4 else ""


def _in_a_direction(f, draw):
    """Twice as far is twice as steep, and the other way round is the other sign."""
    x, u = draw(3, 2), draw(3, 2)
    once, twice, back = (np.asarray(f(_waves, x, c * u)) for c in (1.0, 2.0, -1.0))
    if np.abs(twice - 2 * once).max() > 1e-6 * np.abs(once).max():
        return "a direction twice as long is not twice as steep"
    if np.abs(back + once).max() > 1e-6 * np.abs(once).max():
        return "the opposite direction has not the opposite slope"
    return None


def _gradient(f, draw):
    """A number-valued function, by every entry."""
    x = draw(*draw.sizes(2))
    got = f(_mixed, x)
    right = 2 * x * np.sin(x).sum() + (x**2).sum() * np.cos(x)
    if np.shape(got) != x.shape:
        return f"the gradient has shape {np.shape(got)}, and x has {x.shape}"
    off = np.abs(got - right).max() / np.abs(right).max()
    return f"off by {off:.0e} of the gradient found by hand" + _order_of_h(off) if not off <= 1e-7 else None


def _gradient_anywhere(f, draw):
    """Numbers and lists of numbers as well as tables."""
    for x in (np.array(1.5), draw(5), draw(2, 3, 2)):
        got = f(_mixed, x)
        right = 2 * x * np.sin(x).sum() + (x**2).sum() * np.cos(x)
        if np.shape(got) != x.shape or not np.abs(got - right).max() <= 1e-6 * np.abs(right).max():
            return f"wrong for x of shape {x.shape}"
    return None


_STEPS = ((central_difference, 1e-6), (complex_step, 1e-10))


# what to ask somebody whose check is wrong about a rule
_ASKED = {
    "softmax": "Its slopes cancel under a cotangent of ones: is yours random?",
    "norm": "Its slopes cancel under a cotangent of ones: is yours random?",
    "rows read twice": "One row is never read and has no slope: is the error measured against the largest slope?",
    "cube": "Some of its slopes are zero: is the error measured against the largest slope?",
    "sine, 0.1 % too large": "Is the tolerance rtol, and nothing wider?",
    "square, one entry off": "Does it count when a gradient is too low, and in one place only?",
    "cube, one entry NaN": "NaN is not larger than rtol, and not smaller: what is asked of the error?",
    "faint sine, twice too large": "Is the error divided by the largest slope?",
}


def _compared(f, rule, step, rtol, directions=None):
    return f(rule.f, rule.pull_back, rule.x, directions or rule.entries, Steady(), step, rtol)


def _takes_what_is_right(f, draw):
    for step, rtol in _STEPS:
        for rule in RIGHT:
            ok, error, _, _ = _compared(f, rule, step, rtol)
            if not ok:
                asked = _ASKED.get(rule.name, "Are both sides asked about the same v and the same u?")
                return f'refuses a right rule, that of "{rule.name}", for an error of {error:.0e}. {asked}'
    return None


def _refuses_what_is_wrong(f, draw):
    for step, rtol in _STEPS:
        for rule in WRONG:
            if _compared(f, rule, step, rtol)[0]:
                asked = _ASKED.get(rule.name, "Is the cotangent random?")
                return f'takes a wrong rule for right, "{rule.name}". {rule.why} {asked}'
    return None


def _says_by_how_much(f, draw):
    """A rule that is 1 % too large everywhere has an error of 1 %, whatever is asked about."""
    for rule in RIGHT[:4]:
        _, error, dx, expected = f(
            rule.f, lambda v, rule=rule: 1.01 * rule.pull_back(v), rule.x, rule.entries, Steady(), complex_step, 1e-10
        )
        if abs(error - 0.01) > 1e-6:
            return f'"{rule.name}", made 1 % too large everywhere, has an error of {error:.3g}, not 0.01'
        if np.shape(dx) != rule.x.shape or np.shape(expected) != (rule.x.size,):
            return "after ok and the error come dx, as the rule gave it, and one measured slope for each direction"
    return None


def _along_any_direction(f, draw):
    """Eight random directions instead of one for each entry."""
    for rule in (*RIGHT, *WRONG):
        directions = [Steady()(8, *rule.x.shape)[i] for i in range(8)]
        ok, _, _, expected = _compared(f, rule, complex_step, 1e-10, directions)
        if len(expected) != 8 or bool(ok) != rule.right:
            return f'along 8 random directions "{rule.name}" is {"refused" if rule.right else "taken for right"}'
    return None


LESSON = Lesson(
    "01",
    "slopes",
    "Slopes you can trust",
    "How do you know that a gradient is right?",
    40,
    "your check tells right backward rules from wrong ones, and passes a whole GPT",
    (
        Exercise(
            "01.1",
            slot="tinyllm.autograd.numeric:central_difference",
            minutes=5,
            checks=[
                holds("slopes found by hand", _along(1e-6)),
                holds("a direction has a length and a sign", _in_a_direction, rounds=2),
                no_mutation(),
            ],
            mutants=[
                Mutant(
                    "(f(x + h * u) - f(x - h * u)) / (2 * h)",
                    "(f(x + h * u) - f(x)) / h",
                    "This looks to one side only, and its error is of the order of h; with a step to both sides the "
                    "curvature cancels and the error is of the order of h squared.",
                ),
                Mutant("/ (2 * h)", "/ h", "The two points lie 2 h apart, so the difference is divided by 2 h."),
                Mutant("/ (2 * h)", "/ 2", "The difference is over a distance of 2 h: divide by h as well."),
                Mutant(
                    "f(x + h * u) - f(x - h * u)",
                    "f(x - h * u) - f(x + h * u)",
                    "The sign: the slope is what is ahead minus what is behind.",
                ),
                Mutant(
                    "f(x + h * u) - f(x - h * u)",
                    "f(x + h) - f(x - h)",
                    "This moves every entry by h: go h times along u, and the entries where u is zero stay.",
                ),
                Mutant(
                    "f(x + h * u) - f(x - h * u)",
                    "f(x * (1 + h * u)) - f(x * (1 - h * u))",
                    "This step is as long as x is: add h u to x, do not scale x by it.",
                ),
            ],
            hints=(
                "Take a step of h along u, and one of h against it: what do the two values of f tell, and how far "
                "apart are the two points?",
                "The slope is the difference of the values over the distance of the points, x + h u and x - h u.",
                "return (f(___) - f(___)) / (___)",
            ),
            explain="The one-sided difference errs by h f''/2; the two sides have that term with opposite signs, so in "
            "the middle only h^2 f'''/6 is left. That is worth four digits for one more call of f.",
        ),
        Exercise(
            "01.2",
            slot="tinyllm.autograd.numeric:complex_step",
            minutes=5,
            needs=["01.1"],
            checks=[
                holds("slopes found by hand, to the last digits", _along(1e-13)),
                holds("a direction has a length and a sign", _in_a_direction, rounds=2),
                no_mutation(),
            ],
            mutants=[
                Mutant(
                    "np.imag(", "np.real(", "The real part is f(x) itself; what the step did is the imaginary part."
                ),
                Mutant(" / h", "", "The imaginary part is h times the slope: divide by h."),
                Mutant(
                    "f(x + 1j * h * u)",
                    "f(x + h * u)",
                    "A real step leaves nothing in the imaginary part: step along the imaginary axis, 1j h u.",
                ),
                Mutant(
                    " / h", " / (2 * h)", "There is one step here and not two, so nothing is to be halved: divide by h."
                ),
                Mutant("1j * h * u)", "1j * h)", "This moves every entry: the step is h times along u."),
                Mutant(
                    "np.imag(f(x + 1j * h * u))",
                    "np.abs(f(x + 1j * h * u) - f(x))",
                    "A length has no sign; the slope has one. Take the imaginary part, and subtract nothing.",
                ),
            ],
            hints=(
                "Where does f go when x moves a tiny bit sideways, along the imaginary axis?",
                "f(x + ih) = f(x) + ih f'(x) - h^2 ...: the value stays in the real part, the slope alone is in the "
                "imaginary part, and nothing has to be subtracted.",
                "return np.imag(f(x + ___ * u)) / ___",
            ),
            explain="A difference has to subtract two numbers that are almost equal, and the digits they share are "
            "lost. Here nothing is subtracted, so h may be 1e-20, and h^2 is far below the last digit: the slope is "
            "as exact as f is. It asks that f be written without abs, conjugates, and comparisons of imaginary "
            "parts; every operation of tinyllm is.",
        ),
        Exercise(
            "01.3",
            slot="tinyllm.autograd.numeric:numerical_grad",
            minutes=10,
            needs=["01.1"],
            checks=[
                holds("the gradient found by hand", _gradient),
                holds("numbers, lists, tables", _gradient_anywhere, rounds=2),
                no_mutation(),
            ],
            mutants=[
                Mutant(
                    "x[index] = kept  # the next entry",
                    "# the next entry",
                    "The entry is not put back: the next slope is measured from a point that has moved on.",
                ),
                Mutant(
                    "(above - below) / (2 * h)",
                    "(above - f(x)) / h",
                    "One side only: its error is of the order of h. Use what is above and what is below.",
                ),
                Mutant("(2 * h)", "h", "Above and below are 2 h apart: divide by 2 h."),
                Mutant(
                    "x[index] = kept - h",
                    "x[index] -= h",
                    "x stood at kept + h: taking h away leads back to the middle, not below it.",
                ),
                Mutant("above - below", "below - above", "The sign: what is above minus what is below."),
                Mutant(
                    "np.ndindex(x.shape)",
                    "np.ndindex(x.shape[:1])",
                    "This moves whole rows: every single entry has a slope of its own.",
                ),
                Mutant(
                    "x = np.array(x, dtype=np.float64)  # a copy",
                    "x += h  # no copy",
                    "x itself is changed: work on a copy, so that whoever called still has the point they had.",
                ),
            ],
            hints=(
                "One entry at a time goes up by h, then down by h. In what state must x be before the next one moves?",
                "Loop over np.ndindex(x.shape): remember the entry, measure above and below, put it back, divide by "
                "the distance. Work on a copy, so that the caller's x never moves.",
                "kept = x[index] ; x[index] = ___ ; above = f(x) ; x[index] = ___ ; below = f(x) ; x[index] = ___ ; "
                "grad[index] = ___",
            ),
            explain="This costs two calls of f for each entry: a gradient of a model with a million parameters would "
            "take two million forward passes. A backward pass takes about two, for all of them at once. That is why "
            "it exists, and this is why it can be trusted: the slow way checks the fast one.",
        ),
        Exercise(
            "01.4",
            slot="tinyllm.autograd.compare:compare",
            minutes=20,
            needs=["01.1", "01.2"],
            checks=[
                holds("takes what is right", _takes_what_is_right, rounds=1),
                holds("refuses what is wrong", _refuses_what_is_wrong, rounds=1),
                holds("says by how much", _says_by_how_much, rounds=1),
                holds("along any directions", _along_any_direction, rounds=1),
                no_mutation(),
            ],
            mutants=[
                Mutant(
                    "draw.unit(*f(x).shape)",
                    "np.ones(f(x).shape)",
                    "A cotangent of ones asks for the slope of the sum, and the entries of a softmax always sum to 1: "
                    "nothing is left to compare. Draw it at random.",
                ),
                Mutant(
                    "error <= rtol",
                    "error <= 1e-2",
                    "A hundredth forgives too much: right rules err by 1e-9 here, and a missing term may be 1e-3.",
                ),
                Mutant(
                    "error = float(np.abs(got - expected).max(initial=0.0) / (largest or 1.0))",
                    "error = float(np.max(np.abs(got - expected) / np.abs(expected)))",
                    "Where a slope is zero both sides are rounding, and rounding over rounding can be anything: "
                    "measure against the largest slope.",
                ),
                Mutant(
                    "np.abs(got - expected).max(",
                    "(got - expected).max(",
                    "Without the absolute value, what is too low never counts.",
                ),
                Mutant(
                    "/ (largest or 1.0)",
                    "",
                    "An error means nothing without a size beside it: divide by the largest slope.",
                ),
                Mutant(
                    "error <= rtol",
                    "not error > rtol",
                    "NaN is not larger than anything, so it passes: ask whether the error is small enough.",
                ),
                Mutant(
                    "np.abs(got - expected).max(initial=0.0)",
                    "np.abs(got - expected).mean()",
                    "A mean hides one wrong entry among many right ones: take the largest difference.",
                ),
                Mutant(
                    "np.vdot(v, step(f, x, u))",
                    "np.sum(step(f, x, u))",
                    "The rule was asked about v, so what happens has to be weighed with v as well, not summed.",
                ),
            ],
            hints=(
                "A rule knows v^T J, a step along u knows J u. Which single number can both of them tell you?",
                "Draw v, ask the rule for dx, and for each direction u hold dx . u against v . J u. Then one error: "
                "the largest difference, as a part of the largest slope.",
                "v = ___ ; dx = pull_back(v) ; got = [vdot(___, u)] ; expected = [vdot(___, step(f, x, u))] ; "
                "error = max|got - expected| / ___ ; return error <= ___, error, dx, expected",
            ),
            explain="Three choices make the check hard to fool: a random cotangent, because the gradient of a "
            "softmax's sum is zero and zeros would pass; the largest slope as the measure, because single slopes may "
            "be zero; a tolerance near the rounding, because right rules have no other error. All of tinyllm is held "
            "to it.",
        ),
    ),
    seconds=10,
)
