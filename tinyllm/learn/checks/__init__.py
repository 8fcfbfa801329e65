"""Checks: what is asked of a learner's function. A record lists them, in order.

    shapes()                        every result has the right shape and dtype
    saves()                         an op's forward leaves the right things in ctx
    gradcheck_slot(wrt="q k v")     a way back gives the numeric derivative, for a random cotangent
    oracle(slow, samples)           the same results as a slow and plain function, or as the library's own
    vectors([((1, 2), 3)])          these results for these inputs
    holds("rows sum to 1", fn)      a property of whatever is drawn
    no_mutation()                   what it is given stays as it was
    improves("...", measure)        it makes something measurably better, paired and with an interval

Each runs the function on its own, against the library, never in the stack: an earlier mistake cannot leak in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .check import Check
from .gain import Improves
from .gradients import Gradients
from .property import Holds
from .shapes import NoMutation, Saves, Shapes
from .values import Oracle, Vectors

__all__ = ["Check", "gradcheck_slot", "holds", "improves", "no_mutation", "oracle", "saves", "shapes", "vectors"]


def shapes() -> Check:
    """Ask for the right shapes and dtypes, on everything that the other checks of the exercise draw."""
    return Shapes()


def saves() -> Check:
    """Ask an op's forward to leave in ``ctx.saved`` what the library's leaves there, in that order."""
    return Saves()


def no_mutation() -> Check:
    """Ask that no input is changed in place, on everything that the other checks of the exercise draw."""
    return NoMutation()


def gradcheck_slot(
    wrt: str = "",
    forward: str = "",
    samples: Callable[..., Any] | None = None,
    *,
    outputs: str = "",
    analytic: bool | None = None,
    arrange: Callable[..., Any] | None = None,
) -> Check:
    """Ask a way back for the numeric derivative of its forward: float64, every entry, a random cotangent.

    The library's own forward runs first, so a mistake in the learner's forward cannot leak in. Where the forward is
    analytic the derivative is a complex step, right to 1e-10, else a central difference (1e-6).

    Args:
        wrt: the inputs whose gradients are returned, in order: "q k v". For an op, those that have one by default.
        forward: for a plain backward function, its forward pass: "tinyllm.kernels.attention:attend".
        samples: samples(draw) yields what the *forward* is called with; for an op, its own samples by default.
        outputs: names of the forward's results, "out w"; by default those in its Shapes line. The backward's
            arguments are found by name: the forward's inputs and outputs, and ``dout`` for the cotangent of ``out``.
        analytic: may the complex step go through the forward? By default what the op says; a plain one is.
        arrange: where names do not do: arrange(inputs by name, outputs, cotangents) returns the arguments.

    Example:
        >>> gradcheck_slot("q k v", "tinyllm.kernels.attention:attend", lambda draw: [draw(2, 3)]).label
        'gradients'
    """
    return Gradients(tuple(wrt.split()), forward, samples, tuple(outputs.split()), analytic, arrange)


def oracle(
    fn: Callable[..., Any] | None = None,
    samples: Callable[..., Any] | None = None,
    *,
    name: str = "",
    rtol: float = 1e-9,
) -> Check:
    """Ask for the results of another function, a slow and plain one, or the library's own.

    Args:
        fn: called with the same arguments; for an op's forward without the context. None: the library's function.
        samples: samples(draw) yields arguments: an array, a tuple, or ``given(x, axis=0)``. Sizes are best taken from
            ``draw.sizes("T D")``: distinct primes that grow, and one square case. For an op, its own by default. What
            the oracle refuses the function is to refuse, with an error of the same kind.
        name: what the line of the verdict says.
        rtol: how far off an entry may be, relative to the largest of its result.
    """
    return Oracle(fn, samples, name, rtol)


def vectors(pairs: Sequence[tuple[Any, Any]], *, name: str = "", rtol: float = 1e-9) -> Check:
    """Ask for exact results: pairs of inputs and what they give.

    Args:
        pairs: (arguments, result): one argument, a tuple of them, or ``given(1.0, base=2)``; the result may be a class
            of errors, for what is to be refused. A tuple as result stands for several results.
        name: what the line of the verdict says.
        rtol: how far off a number may be, relative to the largest of its result.
    """
    return Vectors(tuple(pairs), name, rtol)


def holds(name: str, fn: Callable[..., Any], *, rounds: int = 6) -> Check:
    """Ask for a property of whatever is drawn.

    Args:
        name: what holds: "rows sum to 1".
        fn: fn(f, draw) calls the learner's function ``f`` on what it draws and returns a sentence (or raises) where the
            property is violated, None where it holds. ``draw.sizes("T D")`` gives sizes that grow from round to round.
        rounds: how many times it is tried, on larger and larger inputs.
    """
    return Holds(name, fn, rounds)


def improves(
    name: str,
    measure: Callable[..., float],
    *,
    over: Callable[..., Any],
    by: float = 0.0,
    runs: int = 8,
) -> Check:
    """Ask for a measured gain: better than a baseline on the same draws, with an interval that says so.

    Args:
        name: what gets better: "recall over PCA".
        measure: measure(f, draw) returns a number, larger is better.
        over: the baseline, a function with the same arguments.
        by: how much better at least.
        runs: how many paired runs; the lower end of the 95 % interval of their differences has to lie above ``by``.
    """
    return Improves(name, measure, over, by, runs)
