"""From the registry of ops to the functions, methods and operators that people call.

``tl.softmax(x, axis=-1)``, ``x.softmax(-1)``, ``a + b``: none of them is written anywhere. Each is made here from the
op's declaration: the arrays first, then the keyword-only parameters of ``forward`` in their order.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..errors import OpError, nearest
from .op import OPS, Op
from .tensor import Tensor

# symbol of an op -> the methods Python calls for it, plain and reflected
OPERATORS = {
    "+": ("__add__", "__radd__"),
    "-": ("__sub__", "__rsub__"),
    "*": ("__mul__", "__rmul__"),
    "/": ("__truediv__", "__rtruediv__"),
    "**": ("__pow__", "__rpow__"),
    "@": ("__matmul__", "__rmatmul__"),
    "neg": ("__neg__",),
    "abs": ("__abs__",),
    "[]": ("__getitem__",),
}


def function_of(op: type[Op]) -> Callable[..., Any]:
    """Make the public function of an op; an op whose calls read differently brings its own as ``call``."""
    own = getattr(op, "call", None)
    if own is not None:
        return _dressed(own, op, inspect.signature(own))
    formal = list(inspect.signature(op.forward).parameters.values())[1:]
    signature = inspect.Signature(
        [p.replace(kind=p.POSITIONAL_OR_KEYWORD) if p.kind is p.KEYWORD_ONLY and not op.variadic else p for p in formal]
    )
    count = len(op.arguments)
    names = set(op.parameters)

    def function(*args: Any, **params: Any) -> Any:
        if op.variadic or (len(args) == count and params.keys() <= names):
            return op.apply(*args, **params)
        try:
            bound = signature.bind(*args, **params)
        except TypeError as error:
            unknown = next((name for name in params if name not in signature.parameters), "")
            close = nearest(unknown, signature.parameters)
            raise OpError(f"{op.name}{signature}: {error}", hint=f"{close}=" if close else None) from None
        bound.apply_defaults()
        return op.apply(
            *(bound.arguments[name] for name in op.arguments), **{name: bound.arguments[name] for name in op.parameters}
        )

    return _dressed(function, op, signature)


def _dressed(function: Callable[..., Any], op: type[Op], signature: inspect.Signature) -> Callable[..., Any]:
    """Give a function the name, text and signature of its op."""
    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = op.__doc__
    function.__module__ = op.__module__
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    def reflected(self: Tensor, other: Any) -> Any:
        return function(other, self)

    return reflected


def publish(namespace: dict[str, Any]) -> None:
    """Put the function of every op into ``namespace``, and its method and operator on Tensor."""
    for name, op in OPS.items():
        function = function_of(op)
        namespace[name] = function
        if op.method and not hasattr(Tensor, name):
            setattr(Tensor, name, function)
        plain, *reflected = OPERATORS.get(op.symbol, ("",))
        if plain:
            setattr(Tensor, plain, function)
        if reflected:
            setattr(Tensor, reflected[0], _reflected(function))
