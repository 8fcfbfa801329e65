"""Module: an object with parameters. A layer is a Module, and so is a model made of layers.

There is no registration. A Module's parameters are the Parameters among its attributes, those of the Modules among its
attributes, and those in lists, tuples and dictionaries of either, in the order in which they were assigned:

    class Perceptron(Module):
        def __init__(self, C, rng):
            self.hidden = Linear(C, 4 * C, rng=rng)
            self.out = Linear(4 * C, 1, rng=rng)

        def forward(self, x):
            return self.out(self.hidden(x).relu())
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from ..autograd import Tensor
from ..errors import CheckpointError, DTypeError, nearest
from .summary import summary

Array = np.ndarray[Any, np.dtype[Any]]
M = TypeVar("M", bound="Module")


class Parameter(Tensor):
    """A Tensor that a Module owns and an optimizer moves; it requires a gradient unless told otherwise.

    Example:
        >>> Parameter(np.zeros((3, 5), dtype=np.float32))
        Parameter of shape (3, 5), float32
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad=requires_grad)

    def __repr__(self) -> str:
        return f"Parameter of shape {self.shape}, {self.dtype}"


class Module:
    """What has parameters and computes with them: write ``__init__`` and ``forward``, and call it.

    Attributes:
        training: True until ``eval()``; Dropout and BatchNorm look at it.
        buffers: names of the attributes that are arrays to be saved with the weights but not learned.
        shown: names of the attributes that ``repr`` shows beside the parameters.

    Example:
        >>> from tinyllm.nn import Linear
        >>> layer = Linear(3, 5, rng=np.random.default_rng(0))
        >>> [(name, p.shape) for name, p in layer.named_parameters()]
        [('weight', (5, 3)), ('bias', (5,))]
    """

    training: bool = True
    buffers: ClassVar[tuple[str, ...]] = ()
    shown: ClassVar[tuple[str, ...]] = ()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the result; every Module that is called brings its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute ``forward``."""
        return self.forward(*args, **kwargs)

    def __repr__(self) -> str:
        return summary(self)

    # what is in it

    def children(self) -> Iterator[tuple[str, Module | Parameter]]:
        """Yield the Modules and Parameters among the attributes, each with its name, in the order of assignment."""
        for name, value in vars(self).items():
            yield from _found(name, value)

    def named_modules(self, prefix: str = "") -> list[tuple[str, Module]]:
        """List this Module (under ``prefix``) and all below it; one used twice comes once, under its first name."""
        found: list[tuple[str, Module]] = []
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            found.append((name, module))
            below = [(_join(name, own), child) for own, child in module.children() if isinstance(child, Module)]
            stack.extend(reversed(below))
        return found

    def modules(self) -> list[Module]:
        """List this Module and all Modules below it, each once."""
        return [module for _, module in self.named_modules()]

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """List every parameter with its dotted name; a tied weight comes once, under its first name.

        Example:
            >>> from tinyllm.nn import Linear
            >>> pair = Module()
            >>> pair.a = Linear(3, 3, bias=False, rng=np.random.default_rng(0))
            >>> pair.b = Linear(3, 3, bias=False, rng=np.random.default_rng(0))
            >>> pair.b.weight = pair.a.weight
            >>> [name for name, _ in pair.named_parameters()]
            ['a.weight']
        """
        found: list[tuple[str, Parameter]] = []
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, child in module.children():
                if isinstance(child, Parameter) and id(child) not in seen:
                    seen.add(id(child))
                    found.append((_join(prefix, name), child))
        return found

    def parameters(self) -> list[Parameter]:
        """List every parameter, each once."""
        return [p for _, p in self.named_parameters()]

    def count_parameters(self) -> int:
        """Count the numbers in all parameters; tied weights count once."""
        return sum(p.size for p in self.parameters())

    # what it is doing

    def train(self: M, training: bool = True) -> M:
        """Switch this Module and all below it to training; returns itself."""
        for module in self.modules():
            module.training = training
        return self

    def eval(self: M) -> M:
        """Switch to evaluation: Dropout passes everything on, BatchNorm uses its running statistics; returns itself."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for p in self.parameters():
            p.grad = None

    def astype(self: M, dtype: Any) -> M:
        """Turn all parameters and buffers into another floating-point dtype and forget the gradients; returns itself.

        Do it before making an optimizer, whose state has the dtype of the parameters.

        Raises:
            DTypeError: the dtype is not a floating-point or complex one.
            InPlaceError: a live graph still needs the old values.
        """
        wanted = np.dtype(dtype)
        if wanted.kind not in "fc":
            raise DTypeError(f"astype: parameters cannot be {wanted}", hint="np.float32 or np.float64")
        parameters = self.parameters()
        for p in parameters:
            p.refuse_if_live("astype")
        for p in parameters:
            p.data = p.data.astype(wanted)
            p.grad = None
        for module in self.modules():
            for name in module.buffers:
                setattr(module, name, getattr(module, name).astype(wanted))
        return self

    # what is saved of it

    def state_dict(self) -> dict[str, Array]:
        """Copy all parameters and buffers into a dictionary, name -> array: a snapshot that later steps leave alone."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Overwrite all parameters and buffers, in place, with the arrays of the same names.

        The names and shapes must be exactly ours, or nothing is changed. Numbers are converted to our dtypes.

        Raises:
            CheckpointError: names are missing or unexpected, or shapes differ; the message lists them.
            InPlaceError: a live graph still needs the old values.
        """
        own = self._arrays()
        given = {name: np.asarray(array) for name, array in state.items()}
        faults = _faults(own, given)
        if faults:
            raise CheckpointError(
                f"{type(self).__name__}: the weights do not fit: {'; '.join(faults)}",
                hint="build the model from the config that was saved with them",
            )
        for p in self.parameters():
            p.refuse_if_live("load_state_dict")
        for name, array in own.items():
            array[...] = given[name]

    def _arrays(self) -> dict[str, Array]:
        """Collect the arrays themselves: parameters first, then buffers."""
        arrays = {name: p.data for name, p in self.named_parameters()}
        for prefix, module in self.named_modules():
            for name in module.buffers:
                arrays[_join(prefix, name)] = getattr(module, name)
        return arrays

    def generators(self) -> list[np.random.Generator]:
        """List the random generators that Modules keep to draw from while they run (Dropout does), each once."""
        found: dict[int, np.random.Generator] = {}
        for module in self.modules():
            for value in vars(module).values():
                if isinstance(value, np.random.Generator):
                    found.setdefault(id(value), value)
        return list(found.values())

    def rng_state(self) -> list[dict[str, Any]]:
        """Return the states of all generators; a run that is resumed without them drops other entries.

        Each is what NumPy gives; for ``np.random.default_rng`` only whole numbers and words, so JSON takes it.
        """
        return [dict(generator.bit_generator.state) for generator in self.generators()]

    def set_rng_state(self, states: list[dict[str, Any]]) -> None:
        """Put all generators back to where ``rng_state`` found them.

        Raises:
            CheckpointError: there are more or fewer states than generators, or they are of another kind.
        """
        generators = self.generators()
        if len(states) != len(generators):
            raise CheckpointError(f"set_rng_state: {len(states)} states for {len(generators)} generators")
        for generator, state in zip(generators, states, strict=True):
            try:
                generator.bit_generator.state = state
            except (TypeError, ValueError, KeyError) as error:
                raise CheckpointError(f"set_rng_state: a state is not one of this kind of generator: {error}") from None


def _found(name: str, value: Any) -> Iterator[tuple[str, Module | Parameter]]:
    """Yield ``value`` if it counts, or what counts inside of it if it is a collection."""
    if isinstance(value, (Module, Parameter)):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _found(f"{name}.{i}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _found(f"{name}.{key}", item)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _faults(own: Mapping[str, Array], given: Mapping[str, Array]) -> list[str]:
    """Say which names are missing, which are unexpected and what they resemble, and which arrays do not fit."""
    missing = [name for name in own if name not in given]
    unexpected = []
    for name in given:
        if name not in own:
            close = nearest(name, missing or own)
            unexpected.append(f"{name} (nearest: {close})" if close else name)
    unfit = [
        f"{name} {given[name].shape} {given[name].dtype}, not {array.shape} {array.dtype}"
        for name, array in own.items()
        if name in given
        and (given[name].shape != array.shape or not np.can_cast(given[name].dtype, array.dtype, "same_kind"))
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape or kind", unfit))
    return [f"{len(names)} {what}: {_listed(names)}" for what, names in kinds if names]


def _listed(names: list[str], most: int = 5) -> str:
    """Write down the first few names and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
