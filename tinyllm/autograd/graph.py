"""The backward pass: order the graph, then walk it from its end, adding up what arrives.

Two functions do all of it. ``toposort`` puts every op after the ops it depends on; ``accumulate`` walks that order
backwards and hands each op the sum of the gradients that its users sent. Both are loops, not recursion, so a graph may
be as deep as memory allows, and each op is freed as soon as it has been walked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from .op import Op

if TYPE_CHECKING:
    from .tensor import Tensor

Array = np.ndarray[Any, Any]


def toposort(root: Op) -> list[Op]:
    """List every op that ``root`` depends on, each after the ops it depends on itself; ``root`` comes last.

    Example:
        >>> import tinyllm as tl
        >>> x = tl.Tensor(2.0, requires_grad=True)
        >>> y = (x * x).exp()
        >>> [op.name for op in toposort(y.node)]
        ['mul', 'exp']
    """
    order: list[Op] = []
    seen: set[int] = set()
    stack: list[tuple[Op, bool]] = [(root, False)]
    while stack:
        op, ready = stack.pop()
        if ready:
            order.append(op)
            continue
        if id(op) in seen:
            continue
        seen.add(id(op))
        stack.append((op, True))  # comes up again once everything pushed above it is done
        for source in op.sources:
            if isinstance(source, tuple) and id(source[0]) not in seen:
                stack.append((source[0], False))
    return order


def accumulate(order: list[Op], dys: list[Array | None], retain_graph: bool = False) -> None:
    """Walk ``order`` from its end; leave in every leaf's ``grad`` the sum over all paths that lead to it.

    Args:
        order: ops as ``toposort`` gives them; it is emptied on the way, so that memory is freed on the way, too.
        dys: the cotangent of each result of the last op (None where there is none).
        retain_graph: keep what the ops saved, so that the graph can be walked again.
    """
    pending: dict[int, list[Array | None]] = {id(order[-1]): dys}
    walked = list(order) if retain_graph else order
    while walked:
        op = walked.pop()
        sent = pending.pop(id(op), None)
        if sent is None:  # nothing that was differentiated uses it
            continue
        for index, tensor in (op.retained or {}).items():
            _add_to_leaf(tensor, sent[index])
        grads = op.pull_back(sent)
        for source, grad in zip(op.sources, grads, strict=True):
            if source is None or grad is None:
                continue
            if isinstance(source, tuple):
                before, index = source
                slots = pending.get(id(before))
                if slots is None:
                    slots = pending[id(before)] = [None] * len(before.outputs)
                held = slots[index]
                if held is None:
                    slots[index] = grad
                elif _is_ours(grad, op, sent, grads):  # "+=" over paths, never "="
                    kernels.add_to(grad, held)
                    slots[index] = grad
                else:
                    slots[index] = kernels.add(grad, held)
            elif source.grad is None and not _is_ours(grad, op, sent, grads):
                source.grad = grad.copy()  # a leaf keeps its gradient and may edit it
            else:
                _add_to_leaf(source, grad)
        if not retain_graph:
            op.free()


def _is_ours(grad: Array, op: Op, sent: list[Array | None], grads: list[Array | None]) -> bool:
    """May this gradient, which ``op`` returned, be written to? Not if it is a view, or held by somebody else."""
    if grad.base is not None or not grad.flags.writeable:
        return False
    return [a is grad for a in (*sent, *op.saved, *grads)].count(True) == 1  # as a gradient, and nowhere else


def _add_to_leaf(leaf: Tensor, grad: Array | None) -> None:
    if grad is None:
        return
    if leaf.grad is None:
        leaf.grad = grad
    elif leaf.grad.flags.writeable:
        kernels.add_to(leaf.grad, grad)
    else:
        leaf.grad = kernels.add(leaf.grad, grad)
