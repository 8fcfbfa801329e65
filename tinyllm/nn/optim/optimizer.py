"""What all optimizers share: the loop over the parameters, the moments kept for each, and how they are saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...autograd import Tensor
from ...errors import CheckpointError, ConfigError, DTypeError
from ..module import Module

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Group:
    """Parameters that are treated alike: does weight decay apply to them?"""

    params: Sequence[Tensor]
    decays: bool = True


def decay_groups(model: Module) -> list[Group]:
    """Part a model's parameters into matrices, which decay, and vectors (biases and gains), which do not.

    Decay pulls towards zero. For a matrix that limits how strongly it mixes its inputs; a gain it would pull away from
    the 1 it started at, and a bias costs nothing to keep.

    Example:
        >>> from tinyllm.nn import MLP
        >>> groups = decay_groups(MLP(3, 12, rng=np.random.default_rng(0)))
        >>> [(group.decays, [p.shape for p in group.params]) for group in groups]
        [(True, [(12, 3), (3, 12)]), (False, [(12,), (3,)])]
    """
    params = model.parameters()
    groups = (Group([p for p in params if p.ndim >= 2]), Group([p for p in params if p.ndim < 2], decays=False))
    return [group for group in groups if group.params]


class Optimizer:
    """Moves parameters along their gradients; each kind says in ``update`` how.

    Args:
        params: Tensors that require gradients, or Groups of them. The arrays are moved in place.
        lr: learning rate, for every step that is not given its own.

    Attributes:
        moments: names of the arrays kept for each parameter, which start at zero.
        steps: how many steps were taken.

    Errors: no parameters, or one given twice (ConfigError); ``step`` while a graph needs the old values
    (InPlaceError), or with a gradient of another dtype than the moments (DTypeError).
    """

    moments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Iterable[Tensor] | Iterable[Group], lr: float) -> None:
        given = list(params)
        groups = [g for g in given if isinstance(g, Group)] or [Group([p for p in given if isinstance(p, Tensor)])]
        self.params: list[Tensor] = [p for group in groups for p in group.params]
        self.decays: list[bool] = [group.decays for group in groups for _ in group.params]
        name = type(self).__name__
        if not self.params:
            raise ConfigError(f"{name}: there are no parameters", hint=f"{name}(model.parameters(), lr={lr})")
        if len({id(p) for p in self.params}) < len(self.params):
            raise ConfigError(f"{name}: a parameter is given twice", hint="model.parameters() lists each once")
        check_range(name, lr=(lr, 0, float("inf")))
        self.lr = float(lr)
        self.steps = 0
        self.state: list[tuple[Array, ...]] = [tuple(np.zeros_like(p.data) for _ in self.moments) for p in self.params]

    def update(self, p: Array, g: Array, moments: tuple[Array, ...], lr: float, decays: bool) -> None:
        """Move the array p in place along its gradient g, and bring its moments up to date."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def step(self, lr: float | None = None) -> None:
        """Move every parameter that has a gradient once; ``lr`` stands in for the optimizer's own in this step."""
        lr = self.lr if lr is None else float(lr)
        for p in self.params:
            p.refuse_if_live(type(self).__name__)
        self.steps += 1
        for p, moments, decays in zip(self.params, self.state, self.decays, strict=True):
            g = p.grad
            if g is None:
                continue
            if moments and not (g.dtype == p.data.dtype == moments[0].dtype):
                raise DTypeError(
                    f"{type(self).__name__}: parameter {p.data.dtype}, gradient {g.dtype}, moments {moments[0].dtype}",
                    hint="make the optimizer after model.astype",
                )
            self.update(p.data, g, moments, lr, decays)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.params:
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Copy what the next step depends on: the number of steps, and ``moment.i`` for the i-th parameter."""
        state: dict[str, Any] = {"steps": self.steps}
        for i, arrays in enumerate(self.state):
            for name, array in zip(self.moments, arrays, strict=True):
                state[f"{name}.{i}"] = array.copy()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state saved by the same kind of optimizer over the same parameters.

        Raises:
            CheckpointError: names or shapes are not ours; nothing is changed.
        """
        who = type(self).__name__
        own = {
            f"{name}.{i}": array
            for i, arrays in enumerate(self.state)
            for name, array in zip(self.moments, arrays, strict=True)
        }
        odd = sorted({*own, "steps"} ^ set(state))
        if odd:
            raise CheckpointError(
                f"{who}: the saved state is not of this optimizer: {len(odd)} names differ, such as {odd[0]}",
                hint="the same kind of optimizer over the same model",
            )
        for name, array in own.items():
            if np.shape(state[name]) != array.shape:
                raise CheckpointError(f"{who}: {name} has shape {np.shape(state[name])}, not {array.shape}")
        for name, array in own.items():
            array[...] = state[name]
        self.steps = int(state["steps"])


def check_range(who: str, **values: tuple[float, float, float]) -> None:
    """Refuse a setting outside of its range, name=(value, lowest, first that is too high)."""
    for name, (value, low, high) in values.items():
        if not low <= value < high:
            raise ConfigError(f"{who}: {name} is {value}", hint=f"a number from {low} to below {high}")
