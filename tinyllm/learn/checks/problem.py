"""A problem: how a drawn sample becomes a call of the learner's function, and which answer is right.

Three kinds, by what the slot is:

    Plain     a function is called with the sample; the answer is an oracle's
    Forward   an op's forward: the same, with a fresh context in front
    Backward  a way back: the library's forward runs on the sample, the cotangents are random, and the answer is the
              numeric derivative of that forward
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import kernels
from ...autograd.battery import floats
from ...autograd.draw import Sample, as_sample
from ...autograd.numeric import central_difference, complex_step
from ...autograd.op import Op
from ...autograd.unbroadcast import unbroadcast
from ...errors import LearnError
from ..slots.slot import Slot
from . import letters
from .call import Call, attempt
from .draw import samples_of

Array = np.ndarray[Any, Any]

LARGEST = 2000  # entries of an input that a gradient is still checked by, one by one


@dataclass
class Answer:
    """The right answer to one call.

    Attributes:
        names: what the results are called.
        values: the results.
        single: is the function to return one thing, and not a tuple?
        error: what the function is to raise instead.
        around: the largest number that goes into the calculation.
        shapes: of the inputs that gradients belong to: a gradient may still be broadcast, the engine sums it up.
    """

    names: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    single: bool = True
    error: BaseException | None = None
    around: float = 1.0
    shapes: tuple[tuple[int, ...], ...] = ()


def results(value: Any, answer: Answer) -> tuple[Any, ...] | str:
    """Take what a function returned apart as the answer is, or say in a sentence why that cannot be done."""
    if answer.single and not (answer.shapes and isinstance(value, tuple)):
        return (value,)
    count = len(answer.names)
    wanted = f"{count} results, {', '.join(answer.names)}" if count != 1 else f"one result, {answer.names[0]}"
    if not isinstance(value, (tuple, list)):
        return f"it returns one thing; expected are {wanted}"
    if len(value) != count:
        return f"it returns {len(value)} results; expected {'are' if count != 1 else 'is'} {wanted}"
    return tuple(value)


def fitted(value: Any, shape: tuple[int, ...]) -> Any:
    """Sum up a gradient that is still broadcast, as the engine would; everything else stays as it is."""
    if isinstance(value, np.ndarray) and value.shape != shape and value.dtype.kind in "fciub":
        try:
            return unbroadcast(value, shape)
        except ValueError:
            return value
    return value


@dataclass
class Problem:
    """What all problems share; see the kinds below.

    Attributes:
        slot: which function is asked for.
        samples: samples(draw) yields what the function is tried on.
        rtol: how far a result may be from the answer, relative to its largest entry.
        fixed: (sample, answer) pairs that are known beforehand.
    """

    slot: Slot
    samples: Callable[..., Any] | None = None
    rtol: float = 1e-9
    fixed: Sequence[tuple[Sample, Any]] = field(default_factory=tuple)

    def drawn(self, seed: int) -> list[Sample]:
        """Return the samples of a seed, smallest first."""
        return samples_of(self.samples, seed) if self.samples is not None else []

    def call(self, sample: Sample) -> Call:
        """Return what the function is called with."""
        return Call(sample.args, sample.params, _positional(self.slot.function, len(sample.args)))

    def answer(self, sample: Sample) -> Answer:
        """Return the right answer."""
        raise NotImplementedError

    def letters(self) -> letters.Letters:
        """Return the axis letters of the inputs, by name."""
        return letters.read(self.slot.docstring)[0]

    def sizes(self, sample: Sample) -> dict[str, int]:
        """Return how large each axis letter is in a sample."""
        return letters.sizes(self.letters(), self.call(sample).named())

    def result_letters(self, name: str) -> tuple[str, ...]:
        """Return the axis letters of a result."""
        known = letters.read(self.slot.docstring)[1]
        return known.get(name) or (next(iter(known.values())) if len(known) == 1 else ())

    @property
    def wanted(self) -> str:
        """What the right answer is called beside "yours"."""
        return "expected"


@functools.cache
def _positional(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    try:
        formal = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        formal = []
    names = [p.name for p in formal if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in formal if p.kind is p.VAR_POSITIONAL), "argument")
    return tuple(names[i] if i < len(names) else f"{rest}[{i - len(names)}]" for i in range(count))


def largest(values: Any) -> float:
    """Return the largest finite magnitude among some values that may be arrays."""
    found = 1.0
    for value in values:
        if isinstance(value, (np.ndarray, float)) and np.asarray(value).dtype.kind in "fc":
            array = np.abs(np.asarray(value))
            found = max(found, float(np.where(np.isfinite(array), array, 0).max(initial=0.0)))
    return found


@dataclass
class Plain(Problem):
    """A function is called with the sample; an oracle, or the library's own function, knows the answer."""

    oracle: Callable[..., Any] | None = None

    def answer(self, sample: Sample) -> Answer:
        """Ask the oracle."""
        with kernels.use("numpy"):
            outcome = attempt(self.oracle or self.slot.function, Call(sample.args, sample.params))
        return self.made(outcome.value, sample, outcome.error)

    def made(self, value: Any, sample: Sample, error: BaseException | None = None) -> Answer:
        """Make an answer of a known value."""
        if error is not None:
            return Answer(error=error)
        single = not isinstance(value, tuple)
        values = (value,) if single else value
        return Answer(self._names(len(values)), values, single, None, largest((*sample.args, *values)))

    def _names(self, count: int) -> tuple[str, ...]:
        known = tuple(letters.read(self.slot.docstring)[1])
        if len(known) == count:
            return known
        return ("result",) if count == 1 else tuple(f"result {i + 1}" for i in range(count))


@dataclass
class Forward(Plain):
    """An op's forward is called with a fresh context and the sample."""

    def call(self, sample: Sample) -> Call:
        """Return the context and the sample."""
        op = _op(self.slot)
        return Call((op(), *sample.args), sample.params, ("ctx", *formal_names(op, len(sample.args))))

    def answer(self, sample: Sample) -> Answer:
        """Ask the oracle, which is called without a context, or the library's own forward."""
        if self.oracle is not None:
            return super().answer(sample)
        with kernels.use("numpy"):
            outcome = attempt(self.slot.function, self.call(sample))
        return self.made(outcome.value, sample, outcome.error)

    def saved(self, sample: Sample) -> tuple[Any, ...]:
        """Return what the library's own forward leaves in the context."""
        with kernels.use("numpy"):
            return attempt(self.slot.function, self.call(sample)).saved

    def letters(self) -> letters.Letters:
        """Return the letters of the op's Shapes line."""
        return letters.read(_op(self.slot).__doc__)[0]

    def result_letters(self, name: str) -> tuple[str, ...]:
        """Return the letters of a result."""
        known = letters.read(_op(self.slot).__doc__)[1]
        return known.get(name) or (next(iter(known.values())) if len(known) == 1 else ())


@dataclass
class Way:
    """A forward pass with what its way back needs to know of it."""

    inputs: dict[str, Any]  # by name
    outputs: tuple[Any, ...]
    names: tuple[str, ...]  # of the outputs
    at: Callable[[str, Array], tuple[Any, ...]]  # the outputs with another array for one input


@dataclass
class Backward(Problem):
    """The library's forward runs on the sample; random cotangents come back; the answer is the numeric derivative.

    Attributes:
        wrt: names of the inputs whose gradients are asked for, in the order of the results; for an op all it has.
        forward: for a plain backward function: the forward pass it belongs to, and names of its outputs.
        analytic: may the complex step go through the forward?
    """

    wrt: tuple[str, ...] = ()
    forward: Callable[..., Any] | None = None
    outputs: tuple[str, ...] = ()
    analytic: bool = True
    arrange: Callable[..., Any] | None = None
    digits: int | None = None  # of the cotangents; only a counter-example has few

    def drawn(self, seed: int) -> list[Sample]:
        """Return the samples of a seed, smallest first: up to the square round, since every entry is stepped along."""
        return samples_of(self.samples, seed, rounds=4) if self.samples is not None else []

    def cotangents(self, outputs: Sequence[Any]) -> tuple[Array, ...]:
        """Draw a cotangent for each output, the same for the same shapes: random, never ones."""
        found = []
        for i, y in enumerate(outputs):
            v = np.random.default_rng([7, i, *np.shape(y)]).normal(size=np.shape(y))
            v = v if self.digits is None else np.round(v, self.digits)
            found.append(np.asarray(np.where(v == 0, 0.5, v), np.asarray(y).real.dtype))
        return tuple(found)

    def call(self, sample: Sample) -> Call:
        """Run the library's forward and return what the way back is called with."""
        return self._called(sample, None)

    def with_cotangents(self, sample: Sample, change: Callable[[Array], Array]) -> Call:
        """Return the same call with other cotangents."""
        return self._called(sample, change)

    def _called(self, sample: Sample, change: Callable[[Array], Array] | None) -> Call:
        if self.slot.op is not None:
            ctx, outputs = _run_op(self.slot.op, sample)
            dys = [d if change is None else change(d) for d in self.cotangents(outputs)]
            names = _positional(self.slot.function, 1 + len(dys))
            return Call((ctx, *dys), {}, ("ctx", *names[1:]))
        way = self.way(sample)
        dys = [d if change is None else change(d) for d in self.cotangents(way.outputs)]
        if self.arrange is not None:
            made = tuple(self.arrange(way.inputs, way.outputs, tuple(dys)))
            return Call(made, {}, _positional(self.slot.function, len(made)))
        known = way.inputs | dict(zip(way.names, way.outputs, strict=False))
        known |= {f"d{name}": dy for name, dy in zip(way.names, dys, strict=False)}
        formal = [p for p in inspect.signature(self.slot.function).parameters.values() if p.kind is not p.VAR_KEYWORD]
        args: list[Any] = []
        params: dict[str, Any] = {}
        named: list[str] = []
        for p in formal:
            if p.name not in known:
                if p.default is not p.empty:
                    continue
                raise LearnError(
                    f"{self.slot.name}: where does its argument {p.name!r} come from?",
                    hint=f"the forward gives {', '.join(known)}: say outputs=..., or arrange=...",
                )
            if p.kind is p.KEYWORD_ONLY or len(args) < formal.index(p):
                params[p.name] = known[p.name]
            else:
                args.append(known[p.name])
                named.append(p.name)
        return Call(tuple(args), params, tuple(named))

    def way(self, sample: Sample) -> Way:
        """Run the library's forward on a sample."""
        if self.slot.op is not None:
            op = self.slot.op
            names = formal_names(op, len(sample.args))
            _, values = _run_op(op, sample)

            def at(name: str, x: Array) -> tuple[Any, ...]:
                args = tuple(x if n == name else a for n, a in zip(names, sample.args, strict=True))
                return _run_op(op, Sample(args, sample.params))[1]

            return Way(dict(zip(names, sample.args, strict=True)), values, (), at)
        if self.forward is None:
            raise LearnError(f"{self.slot.name}: a gradient check of a plain function needs its forward")
        forward = self.forward
        bound = inspect.signature(forward).bind(*sample.args, **sample.params)
        bound.apply_defaults()
        inputs = dict(bound.arguments)

        def run(arguments: dict[str, Any]) -> tuple[Any, ...]:
            with kernels.use("numpy"):
                y = forward(**arguments)
            return tuple(y) if isinstance(y, (tuple, list)) else (y,)

        outputs = run(inputs)
        known = tuple(letters.read(forward.__doc__)[1])
        names = self.outputs or (known if len(known) == len(outputs) else tuple(["y", *known][: len(outputs)]))
        return Way(inputs, outputs, names, lambda name, x: run(inputs | {name: x}))

    def pinned(self) -> list[tuple[Sample, Answer]]:
        """Return the points on kinks whose subgradients the op declares, for cotangents of ones."""
        if self.slot.op is None:
            return []
        found = []
        for drawn, declared in self.slot.op.kinks():
            sample = as_sample(drawn)
            values = declared if isinstance(declared, tuple) else (declared,)
            found.append((sample, self._made(sample, values)))
        return found

    def _made(self, sample: Sample, values: tuple[Any, ...]) -> Answer:
        way = self.way(sample)
        names = self.names(sample)
        shapes = tuple(np.shape(way.inputs[name]) for name in names) if self.slot.op is not None else ()
        around = largest((*way.inputs.values(), *way.outputs, *values))
        return Answer(tuple(f"d{name}" for name in names), values, len(names) == 1, None, around, shapes)

    def names(self, sample: Sample) -> tuple[str, ...]:
        """Return which inputs of a sample have a gradient."""
        if self.wrt:
            return self.wrt
        op = _op(self.slot)
        formal = formal_names(op, len(sample.args))
        return tuple(formal[i] for i in floats(op, sample))

    def answer(self, sample: Sample) -> Answer:
        """Return the numeric derivative by every input, entry by entry."""
        way = self.way(sample)
        dys = self.cotangents(way.outputs)
        used = self.used(way, self.call(sample))
        values = tuple(self._slope(way, name, dys, used) for name in self.names(sample))
        return self._made(sample, values)

    def used(self, way: Way, call: Call) -> list[bool]:
        """Say of each output whether the function is told its cotangent."""
        named = call.named()
        known = [self.slot.op is not None or self.arrange is not None or f"d{n}" in named for n in way.names]
        return known + [True] * (len(way.outputs) - len(known))

    def _slope(self, way: Way, name: str, dys: tuple[Array, ...], used: list[bool]) -> Array:
        x = way.inputs[name]
        if x.size > LARGEST:
            raise LearnError(f"{self.slot.name}: {name} {x.shape} is too large for a gradient check by every entry")

        def scalar(moved: Array) -> Any:
            outputs = way.at(name, moved)
            parts = [(dy * y).sum() for dy, y, use in zip(dys, outputs, used, strict=False) if use and dy.size]
            return sum(parts, 0.0)

        step = complex_step if self.analytic else central_difference
        grad = np.zeros(x.shape)
        direction = np.zeros(x.shape)
        with np.errstate(all="ignore"):
            for index in np.ndindex(x.shape):
                direction[index] = 1.0
                grad[index] = step(scalar, x, direction)
                direction[index] = 0.0
        return grad

    def letters(self) -> letters.Letters:
        """Return the letters of the forward's Shapes line, and of the function's own."""
        source = self.slot.op.__doc__ if self.slot.op is not None else getattr(self.forward, "__doc__", "")
        before, after = letters.read(source)
        gradients = {f"d{name}": axes for name, axes in (before | after).items()}
        own = letters.read(self.slot.docstring) if self.slot.op is None else ({}, {})
        return before | after | gradients | own[0] | own[1]

    def sizes(self, sample: Sample) -> dict[str, int]:
        """Return how large each letter is, in what went into the forward too."""
        return letters.sizes(self.letters(), self.way(sample).inputs | self.call(sample).named())

    def result_letters(self, name: str) -> tuple[str, ...]:
        """Return the letters of a gradient: those of its input."""
        return self.letters().get(name, ())

    @property
    def wanted(self) -> str:
        """What the right answer is called beside "yours"."""
        return "numeric"


def _op(slot: Slot) -> type[Op]:
    if slot.op is None:
        raise LearnError(f"{slot.name}: this check is for an op's forward or backward")
    return slot.op


def formal_names(op: type[Op], count: int) -> tuple[str, ...]:
    """Return what an op calls its inputs; those of a variadic op are numbered."""
    if op.variadic:
        return tuple(f"{op.argument(i)}[{i}]" if i >= len(op.arguments) - 1 else op.argument(i) for i in range(count))
    return op.arguments[:count]


def _run_op(op: type[Op], sample: Sample) -> tuple[Op, tuple[Any, ...]]:
    """Run an op's forward by hand, on the readable reference; return its context and its outputs."""
    ctx = op()
    with kernels.use("numpy"):
        y = ctx.forward(*sample.args, **sample.params)
    return ctx, tuple(y) if isinstance(y, tuple) else (y,)
