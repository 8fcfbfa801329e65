"""Tensor: a NumPy array that remembers how it was made.

The class itself knows nothing of mathematics. Every method and operator that computes comes from the registry of ops
(``autograd/ops``); what is written here is what a Tensor *is*: its array, its gradient, its place in the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DTypeError, GraphError, InPlaceError, LeafError, ShapeError
from . import graph
from .op import OPS, Op

Array = np.ndarray[Any, Any]

# A NumPy function that meets a Tensor is answered by the op of the same meaning: np.exp(x) is x.exp().
_UFUNCS = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "negative": "neg", "power": "pow",
    "matmul": "matmul", "exp": "exp", "log": "log", "sqrt": "sqrt", "tanh": "tanh", "absolute": "abs",
    "maximum": "maximum",
}  # fmt: skip
_COMPARISONS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")


class Tensor:
    """An array with a gradient.

    Args:
        data: a NumPy array, which is shared and keeps its dtype; or numbers and nested lists, which become float32.
        requires_grad: should ``backward()`` leave a gradient here?

    Attributes:
        data: the NumPy array. While a graph that uses it is alive it is read-only.
        grad: the gradient, an array of the same shape and dtype, or None before the first ``backward()``.

    Raises:
        DTypeError: ``requires_grad`` with numbers that are not floating-point, or data that is no array of numbers.

    Example:
        >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        array([2., 4., 6.], dtype=float32)
    """

    __slots__ = ("__weakref__", "_locks", "_was_writeable", "data", "grad", "node", "requires_grad", "slot")

    data: Array
    grad: Array | None
    node: Op | None
    requires_grad: bool

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        if isinstance(data, Tensor):
            data = data.data
        array = data if isinstance(data, np.ndarray) else _from_numbers(data)
        if array.dtype.kind not in "fciub":
            raise DTypeError(f"Tensor: cannot hold {array.dtype}", hint="numbers, nested lists of numbers, or an array")
        if requires_grad and array.dtype.kind not in "fc":
            raise DTypeError(
                f"Tensor: only floating-point numbers have gradients, not {array.dtype}",
                hint="Tensor(array.astype(np.float32), requires_grad=True)",
            )
        self.data = array
        self.requires_grad = requires_grad
        self.grad = None
        self.node = None
        self.slot = 0
        self._locks = 0

    @classmethod
    def made(cls, data: Array, node: Op | None, slot: int) -> Tensor:
        """Wrap the result number ``slot`` of an op, which is its node in the graph if it was recorded."""
        self = cls.__new__(cls)
        self.data = data
        self.requires_grad = node is not None
        self.grad = None
        self.node = node
        self.slot = slot
        self._locks = 0
        return self

    # what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every axis."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries."""
        return self.data.dtype

    def item(self) -> Any:
        """Return the only entry as a Python number.

        Raises:
            ShapeError: there is more than one entry, or none.
        """
        if self.data.size != 1:
            raise ShapeError(f"item: a Tensor of shape {self.shape} is not one number", hint="x.data.tolist()")
        return self.data.item()

    def numpy(self) -> Array:
        """Return the array, shared, cut off from the graph: the same as ``.data``."""
        return self.data

    def __float__(self) -> float:
        return float(self.item())

    def __len__(self) -> int:
        if not self.data.ndim:
            raise ShapeError("len: a Tensor without axes has no length")
        return len(self.data)

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="Tensor(", threshold=20, precision=4)
        origin = f", by {self.node.name}" if self.node else ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({text}, shape={self.shape}, {self.dtype}{origin})"

    # its place in the graph

    @property
    def source(self) -> Tensor | tuple[Op, int]:
        """Where its gradient goes: the Tensor itself for a leaf, else the op that made it and which result it is."""
        return self if self.node is None else (self.node, self.slot)

    def backward(self, grad: Any = None, retain_graph: bool = False) -> None:
        """Leave in the ``grad`` of every leaf the gradient of this Tensor, added to what was there.

        Args:
            grad: the cotangent to start from, in this Tensor's shape; 1 when the Tensor is one number.
            retain_graph: keep the graph, so that ``backward`` can be called again.

        Raises:
            LeafError: no cotangent, and the Tensor is not one number.
            GraphError: nothing this Tensor was computed from requires a gradient.
            TwiceError: the graph was freed by an earlier ``backward``.
            ShapeError: the cotangent has another shape.
        """
        if not self.requires_grad:
            raise GraphError(
                "backward: this Tensor depends on nothing that requires a gradient",
                hint="make the inputs with requires_grad=True, and compute outside of no_grad()",
            )
        if grad is None:
            if self.data.size != 1:
                raise LeafError(
                    f"backward: the Tensor has shape {self.shape}, not one number",
                    hint="x.sum().backward(), or pass grad",
                )
            start = np.ones_like(self.data)
        else:
            start = np.asarray(grad.data if isinstance(grad, Tensor) else grad, dtype=self.dtype)
            if start.shape != self.shape:
                raise ShapeError(f"backward: grad has shape {start.shape}, the Tensor {self.shape}")
        if self.node is None:
            self.grad = start.copy() if self.grad is None else self.grad + start
            return
        dys: list[Array | None] = [None] * len(self.node.outputs)
        dys[self.slot] = start
        graph.accumulate(graph.toposort(self.node), dys, retain_graph)

    def detach(self) -> Tensor:
        """Return a Tensor on the same array that the graph does not reach."""
        return Tensor(self.data)

    def retain_grad(self) -> Tensor:
        """Keep the gradient of a Tensor in the middle of the graph, which is otherwise dropped; returns itself.

        Example:
            >>> x = Tensor(3.0, requires_grad=True)
            >>> y = (x * x).retain_grad()
            >>> (y * 2).backward()
            >>> y.grad
            array(2., dtype=float32)
        """
        if self.node is not None:
            if self.node.retained is None:
                self.node.retained = {}
            self.node.retained[self.slot] = self
        return self

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def lock(self) -> Array:
        """Make the array read-only for as long as a graph uses it; the engine calls this, and ``unlock`` after."""
        if self._locks == 0:
            self._was_writeable = self.data.flags.writeable
            self.data.setflags(write=False)
        self._locks += 1
        return self.data

    def unlock(self, array: Array) -> None:
        """Give back what ``lock`` took."""
        self._locks -= 1
        if self._locks == 0 and self._was_writeable:
            array.setflags(write=True)

    def refuse_if_live(self, who: str) -> None:
        """Raise if a live graph still needs this array: the check of everything that edits parameters in place.

        Raises:
            InPlaceError: a graph that was built from this Tensor has not been walked or dropped yet.
        """
        if self._locks:
            raise InPlaceError(
                f"{who}: a graph that needs the old values of a parameter of shape {self.shape} is still alive",
                hint="call backward() (without retain_graph) or drop the loss first",
            )

    # how it meets NumPy

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.requires_grad:
            raise GraphError("an array made from a Tensor that requires a gradient would cut the graph", hint="x.data")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if method == "__call__" and not kwargs:
            if name in _UFUNCS:
                return OPS[_UFUNCS[name]].apply(*inputs)
            if name in _COMPARISONS:
                return ufunc(*(x.data if isinstance(x, Tensor) else x for x in inputs))
        raise DTypeError(f"np.{name} does not take a Tensor", hint="a method of Tensor, or np functions on x.data")

    def __eq__(self, other: object) -> Any:
        return self.data == _data(other)

    def __ne__(self, other: object) -> Any:
        return self.data != _data(other)

    def __lt__(self, other: Any) -> Any:
        return self.data < _data(other)

    def __le__(self, other: Any) -> Any:
        return self.data <= _data(other)

    def __gt__(self, other: Any) -> Any:
        return self.data > _data(other)

    def __ge__(self, other: Any) -> Any:
        return self.data >= _data(other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self.item())

    if TYPE_CHECKING:  # everything else comes from the registry: see autograd/functions.py

        def __getattr__(self, name: str) -> Callable[..., Any]: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __getitem__(self, key: Any) -> Tensor: ...


def _from_numbers(data: Any) -> Array:
    """Numbers and nested lists become float32; a NumPy scalar keeps its dtype."""
    try:
        array = np.asarray(data)
    except ValueError:
        raise ShapeError("Tensor: rows of different lengths do not make an array") from None
    if isinstance(data, np.generic) or array.dtype.kind not in "fiub":
        return array
    return array.astype(np.float32)


def _data(value: Any) -> Any:
    return value.data if isinstance(value, Tensor) else value
