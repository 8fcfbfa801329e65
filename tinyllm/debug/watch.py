"""Watch: stands in for a layer of a copied model, and keeps what goes in and comes out."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..models import GPT
from ..nn import Module


class Watch(Module):
    """A Module around another that computes the same.

    Attributes:
        inside: the one that computes.
        into, out: the Tensors of the last call.
    """

    def __init__(self, inside: Module) -> None:
        self.inside = inside
        self.into: Tensor | None = None
        self.out: Tensor | None = None

    def forward(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute what is inside, keep the gradient of its input and its result, where they have one."""
        y = self.inside(x, *args, **kwargs)
        self.into, self.out = x, y
        for tensor in (x, y):
            if isinstance(tensor, Tensor) and tensor.requires_grad:
                tensor.retain_grad()
        return y


def watch_blocks(model: GPT) -> list[Watch]:
    """Watch the blocks of a model, which must be a copy: it is changed.

    The names of its parameters change as well: ask for them before.
    """
    watches = [Watch(block) for block in model.blocks]
    model.blocks = watches  # type: ignore[assignment]
    return watches


def watch_hidden(model: GPT) -> list[tuple[str, Watch, Watch]]:
    """Watch the hidden layers of the MLPs of a copied model.

    Returns:
        For each block its MLP's name, what makes the numbers that are bent (``gate`` of a SwiGLU, ``up`` of an MLP),
        and what reads the hidden units (``down``).
    """
    found = []
    for i, block in enumerate(model.blocks):
        mlp = getattr(block, "mlp", None)
        first = "gate" if hasattr(mlp, "gate") else "up"
        if mlp is None or not hasattr(mlp, "down") or not hasattr(mlp, first):
            continue
        bent, down = Watch(getattr(mlp, first)), Watch(mlp.down)
        setattr(mlp, first, bent)
        mlp.down = down
        found.append((f"blocks.{i}.mlp", bent, down))
    return found
