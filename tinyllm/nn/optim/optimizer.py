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
        dtypes = sorted({str(p.dtype) for p in self.params})
        if len(dtypes) > 1 and self.moments:
            raise DTypeError(f"{name}: parameters of {' and '.join(dtypes)}", hint=f"model.astype(np.{dtypes[0]})")
        check_range(name, lr=(lr, 0, float("inf")))
        self.lr = float(lr)
        self.steps = 0
        # Each kind of moment is one line of memory; ``state`` has, for each parameter, the parts that are its own.
        ends = np.cumsum([p.size for p in self.params])
        self.offsets: list[int] = [int(end) - p.size for end, p in zip(ends, self.params, strict=True)]
        self.lines = tuple(np.zeros(ends[-1], dtype=self.params[0].dtype) for _ in self.moments)
        self.state: list[tuple[Array, ...]] = [
            tuple(line[offset : offset + p.size].reshape(p.shape) for line in self.lines)
            for offset, p in zip(self.offsets, self.params, strict=True)
        ]

    def update(self, p: Array, g: Array, moments: tuple[Array, ...], lr: float, decays: bool) -> None:
        """Move the array p in place along its gradient g, and bring its moments up to date."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def update_all(self, which: Sequence[int], lr: float, grad_scale: float) -> None:
        """Move the parameters of these numbers, one after the other."""
        for i in which:
            p = self.params[i]
            g: Any = p.grad if grad_scale == 1 else p.grad * grad_scale  # type: ignore[operator]
            self.update(p.data, g, self.state[i], lr, self.decays[i])

    def step(self, lr: float | None = None, grad_scale: float = 1.0) -> None:
        """Move every parameter that has a gradient once.

        Args:
            lr: stands in for the optimizer's own in this step.
            grad_scale: all gradients count this much of what they are, as ``clip_scale`` says.
        """
        lr = self.lr if lr is None else float(lr)
        for p in self.params:
            p.refuse_if_live(type(self).__name__)
        which = [i for i, p in enumerate(self.params) if p.grad is not None]
        for i in which if self.moments else ():
            dtypes = [self.params[i].data.dtype, self.params[i].grad.dtype, self.state[i][0].dtype]  # type: ignore[union-attr]
            if not dtypes[0] == dtypes[1] == dtypes[2]:
                raise DTypeError(
                    "{}: parameter {}, gradient {}, moments {}".format(type(self).__name__, *dtypes),
                    hint="make the optimizer after model.astype",
                )
        self.steps += 1
        self.update_all(which, lr, float(grad_scale))

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
