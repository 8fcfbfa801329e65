"""Lesson 01: slopes you can trust. The derivative by trying, in three ways, and the check that is built on it."""

from __future__ import annotations

from ..checks import holds, no_mutation
from ..exercise import Exercise, Lesson, Mutant
from .asked_slopes import (
    along,
    along_any_direction,
    gradient,
    gradient_anywhere,
    in_a_direction,
    refuses_what_is_wrong,
    says_by_how_much,
    takes_what_is_right,
)

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
                holds("slopes found by hand", along(1e-6)),
                holds("a direction has a length and a sign", in_a_direction, rounds=2),
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
                holds("slopes found by hand, to the last digits", along(1e-13)),
                holds("a direction has a length and a sign", in_a_direction, rounds=2),
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
                holds("the gradient found by hand", gradient),
                holds("numbers, lists, tables", gradient_anywhere, rounds=2),
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
                holds("takes what is right", takes_what_is_right, rounds=1),
                holds("refuses what is wrong", refuses_what_is_wrong, rounds=1),
                holds("says by how much", says_by_how_much, rounds=1),
                holds("along any directions", along_any_direction, rounds=1),
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
