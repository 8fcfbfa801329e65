"""Op: one declaration per operation, from which everything else follows.

Writing a class is all it takes. The class says what the op does (its docstring: Forward, Backward, Shapes), does it
(``forward``), undoes it (``backward``), shows where to try it (``samples``) and how it refuses (``bad``). From that
come the function ``tl.name``, the method ``Tensor.name``, its operator, and its gradient checks.

An instance of the class is one use of the op: it is the ``ctx`` that ``forward`` and ``backward`` share, and the node
of the graph. Both take and return arrays, never Tensors, so they can be called by hand:

    >>> import numpy as np
    >>> from tinyllm.autograd.ops.elementwise import Mul
    >>> ctx = Mul()
    >>> ctx.forward(np.array(3.0), np.array(5.0))
    np.float64(15.0)
    >>> ctx.backward(np.array(1.0))
    (np.float64(5.0), np.float64(3.0))
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..errors import DTypeError, NaNError, OpError, ShapeError, TinyLLMError, TwiceError, shape_in_letters
from . import modes
from .unbroadcast import unbroadcast

Array = np.ndarray[Any, Any]

OPS: dict[str, type[Op]] = {}
_SECTIONS = ("Forward", "Backward", "Shapes")


def _none(*_: Any) -> Iterable[Any]:
    return ()


class Op:
    """One use of an operation: what it was given, what it keeps for the way back, and how to go back."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    samples: Callable[..., Iterable[Any]]  # samples(draw): calls that show the op at work; see draw.py
    bad: Callable[..., Iterable[Any]] = staticmethod(_none)  # bad(draw): (call, error class, pattern of its message)
    kinks: Callable[..., Iterable[Any]] = staticmethod(_none)  # (call on a kink, gradients there for ones)

    name: ClassVar[str]
    method: ClassVar[bool] = True  # is it a method of Tensor, too? Not where the first argument is no Tensor
    symbol: ClassVar[str] = ""  # the Python operator it stands behind: "+", "@", "[]", "neg"
    analytic: ClassVar[bool] = True  # may the complex step go through it?
    kink: ClassVar[str] = ""  # where it has no derivative, and which subgradient it takes there
    constants: ClassVar[tuple[str, ...]] = ()  # float arrays that no gradient flows to
    infinite: ClassVar[bool] = False  # may its result hold infinities on purpose?
    cheap: ClassVar[bool] = False  # is its result made again where the way back needs it, and not kept until then?
    arguments: ClassVar[tuple[str, ...]]  # names of the arrays
    variadic: ClassVar[bool]  # does it take any number of arrays?
    parameters: ClassVar[tuple[str, ...]]  # names of the keyword-only parameters
    letters: ClassVar[tuple[tuple[str, ...], ...]]  # axis letters of each array, from the Shapes line

    saved: tuple[Any, ...] = ()
    forgot: bool = False  # is something in ``saved`` to be made again?
    inputs: tuple[Any, ...] = ()  # of a cheap op
    needs: tuple[bool, ...] = ()
    sources: tuple[Tensor | tuple[Op, int] | None, ...] = ()  # per input: a leaf, or (op, which of its results)
    like: tuple[tuple[tuple[int, ...], Any] | None, ...] = ()  # shape and dtype of each input that needs a gradient
    freed: bool = False
    params: dict[str, Any]
    outputs: tuple[tuple[tuple[int, ...], Any], ...]  # shape and dtype of each result
    retained: dict[int, Tensor] | None = None
    called_from: str = ""
    locked: tuple[tuple[Tensor, Array], ...] = ()

    def __init_subclass__(cls, *, registered: bool = True) -> None:
        if not registered:
            return
        cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        for part in ("forward", "backward", "samples"):
            if not callable(getattr(cls, part, None)):
                raise OpError(f"class {cls.__name__}: an op needs {part}", hint="declare it beside the others")
        doc = cls.__doc__ or ""
        missing = [section for section in _SECTIONS if not re.search(rf"^\s*{section}\s", doc, re.MULTILINE)]
        if missing:
            raise OpError(f"class {cls.__name__}: its docstring lacks the lines {', '.join(missing)}")
        if cls.name in OPS and OPS[cls.name].__qualname__ != cls.__qualname__:
            raise OpError(f"class {cls.__name__}: there is already an op named {cls.name}")
        for part in ("samples", "bad", "kinks", "call"):
            if inspect.isfunction(cls.__dict__.get(part)):
                setattr(cls, part, staticmethod(cls.__dict__[part]))
        formal = list(inspect.signature(cls.forward).parameters.values())[1:]
        cls.arguments = tuple(p.name for p in formal if p.kind is not p.KEYWORD_ONLY)
        cls.variadic = any(p.kind is p.VAR_POSITIONAL for p in formal)
        cls.parameters = tuple(p.name for p in formal if p.kind is p.KEYWORD_ONLY)
        cls.letters = _letters(doc)
        OPS[cls.name] = cls

    def save(ctx, *values: Any) -> None:
        """Keep values for the backward pass; what is not saved can be freed at once."""
        ctx.saved = values

    def wants(ctx, i: int) -> bool:
        """Does input ``i`` need its gradient? Called by hand, outside of a graph, all do."""
        return not ctx.needs or ctx.needs[i]

    @classmethod
    def apply(cls, *args: Any, **params: Any) -> Any:
        """Run the op on Tensors (or what can become one) and, while a graph is recorded, become a node of it."""
        ctx = cls()
        arrays = _arrays(cls, args)
        if modes.recording.get():
            ctx.needs = tuple([isinstance(a, Tensor) and a.requires_grad for a in args])
        else:
            ctx.needs = (False,) * len(args)
        try:
            result = ctx.forward(*arrays, **params)
        except TinyLLMError:
            raise
        except (ValueError, IndexError) as error:  # NumPy's own words, with our axis letters in front
            raise ShapeError(f"{cls.describe(arrays)}: {error}") from error
        results = result if isinstance(result, tuple) else (result,)
        if modes.anomaly.get():
            ctx.called_from = "".join(traceback.format_stack(limit=6)[:-2])
            for r in results:
                _refuse_nan(ctx, np.asarray(r), "the result", arrays)
        if True in ctx.needs:
            ctx.params = params
            tensors = ctx._record(args, arrays, results)
        else:
            tensors = [Tensor.made(np.asarray(r), None, 0) for r in results]
        return tuple(tensors) if isinstance(result, tuple) else tensors[0]

    def _record(ctx, args: tuple[Any, ...], arrays: list[Any], results: tuple[Any, ...]) -> list[Tensor]:
        """Become a node: remember where the gradients go, and make every array involved read-only."""
        like, sources, leaves = [], [], []
        for a, array, need in zip(args, arrays, ctx.needs, strict=True):
            like.append((array.shape, array.dtype) if need else None)
            sources.append(a.source if need else None)
            if isinstance(a, Tensor):
                if a.node is None:
                    leaves.append((a, a.lock()))
                elif a.node.cheap:
                    ctx._forget(array, Again(a.node, a.slot))
        ctx.like, ctx.sources, ctx.locked = tuple(like), tuple(sources), tuple(leaves)
        if ctx.cheap:
            ctx.inputs = tuple(arrays)
        tensors, outputs = [], []
        for slot, r in enumerate(results):
            r = np.asarray(r)
            for a in arrays:
                if r is a:
                    r = r.view()
            r.setflags(write=False)  # a live graph may need it: edits raise instead of spoiling a gradient
            outputs.append((r.shape, r.dtype))
            tensors.append(Tensor.made(r, ctx, slot))
        ctx.outputs = tuple(outputs)
        return tensors

    def _forget(ctx, array: Array, again: Again) -> None:
        """Keep, in place of what a cheap op made, the way to make it again: memory for a little time."""
        if any(value is array for value in ctx.saved):
            ctx.saved = tuple([again if value is array else value for value in ctx.saved])
            ctx.forgot = True

    def pull_back(ctx, dys: list[Array | None]) -> list[Array | None]:
        """Turn the gradients of the results into one gradient per input, each in the shape and dtype of its input."""
        ctx.refuse_freed()
        full = [np.zeros(*ctx.outputs[i]) if dy is None else dy for i, dy in enumerate(dys)]
        kept = ctx.saved
        if ctx.forgot:
            ctx.saved = tuple([value() if isinstance(value, Again) else value for value in kept])
        grads = ctx.backward(*full)
        ctx.saved = kept
        if not isinstance(grads, tuple):
            grads = (grads,)
        if len(grads) != len(ctx.needs):
            raise OpError(f"{ctx.name}: backward returned {len(grads)} gradients for {len(ctx.needs)} inputs")
        fitted = [ctx._fitted(i, grad) if ctx.needs[i] else None for i, grad in enumerate(grads)]
        if modes.anomaly.get():
            for i, grad in enumerate(fitted):
                if grad is not None:
                    _refuse_nan(ctx, grad, f"the gradient of {ctx.argument(i)}", [])
        return fitted

    def _fitted(ctx, i: int, grad: Any) -> Array:
        """Undo broadcasting, once and for every op; refuse what is still not the gradient of input ``i``."""
        if not isinstance(grad, np.ndarray):
            if grad is None:
                raise OpError(f"{ctx.name}: backward returned None for {ctx.argument(i)}, which requires a gradient")
            grad = np.asarray(grad)
        shape, dtype = ctx.like[i] or (grad.shape, grad.dtype)
        if grad.shape != shape:
            try:
                grad = unbroadcast(grad, shape)
            except TinyLLMError:  # it says more than could be said here
                raise
            except ValueError:
                got = f"the gradient of {ctx.argument(i)} has shape {grad.shape}"
                raise OpError(f"{ctx.name}: {got}, not {shape}") from None
        if grad.dtype != dtype:
            raise OpError(f"{ctx.name}: the gradient of {ctx.argument(i)} is {grad.dtype}, not {dtype}")
        return grad

    @classmethod
    def argument(cls, i: int) -> str:
        """Name input ``i``; those of a variadic op share a name."""
        return cls.arguments[min(i, len(cls.arguments) - 1)]

    def refuse_freed(ctx) -> None:
        """Raise if a backward pass has been here and has let go of everything.

        Raises:
            TwiceError: it has.
        """
        if ctx.freed:
            raise TwiceError(
                f"backward() came to {ctx.name} a second time, and what it had saved is freed",
                hint="backward(retain_graph=True) on the first call, or compute the value again",
            )

    def free(ctx) -> None:
        """Let go of everything that was kept for the backward pass."""
        ctx.freed = True
        ctx.saved = ctx.inputs = ()
        ctx.sources = ()
        ctx.retained = None
        ctx._unlock()

    def _unlock(ctx) -> None:
        for tensor, array in ctx.locked:
            tensor.unlock(array)
        ctx.locked = ()

    def __del__(ctx) -> None:  # a graph that is dropped without a backward pass gives its leaves back, too
        if ctx.locked:
            ctx._unlock()

    @classmethod
    def describe(cls, arrays: Iterable[Any]) -> str:
        """Say what the op was given, with axis letters: ``matmul: a (M=6, K=8), b (K=6, N=8)``."""
        parts = []
        for i, array in enumerate(arrays):
            if array is None:
                continue
            letters = cls.letters[i] if i < len(cls.letters) and not cls.variadic else ()
            parts.append(f"{cls.argument(i)} {shape_in_letters(np.shape(array), letters)}")
        return f"{cls.name}: {', '.join(parts)}"


class Again(NamedTuple):
    """Result number ``slot`` of a cheap op, which is called with its inputs again to get it: the same bits."""

    op: Op
    slot: int

    def __call__(self) -> Array:
        """Make it.

        Raises:
            TwiceError: a backward pass has freed the op's inputs.
        """
        self.op.refuse_freed()
        result = type(self.op)().forward(*self.op.inputs, **self.op.params)
        return np.asarray(result[self.slot] if isinstance(result, tuple) else result)


def _letters(doc: str) -> tuple[tuple[str, ...], ...]:
    """Read the axis letters of each input from the part of the Shapes line before its arrow."""
    line = re.search(r"^\s*Shapes\s+(.*?)->", doc, re.MULTILINE | re.DOTALL)
    if not line:
        return ()
    groups = re.findall(r"\(([^()]*)\)", line.group(1))
    return tuple(tuple(part.strip() for part in group.split(",") if part.strip()) for group in groups)


def _arrays(cls: type[Op], args: tuple[Any, ...]) -> list[Any]:
    """Take the arrays out of the Tensors; plain numbers and float arrays adopt the dtype of the Tensors beside them."""
    dtype = None
    arrays: list[Any] = []
    plain = False
    for a in args:
        if not isinstance(a, Tensor):
            arrays.append(a)
            plain = plain or a is not None
            continue
        arrays.append(a.data)
        here = a.data.dtype
        if here is not dtype and here.kind in "fc":
            dtype = here if dtype is None else _common(cls, dtype, here)
    if plain:
        for i, a in enumerate(arrays):
            if a is None or isinstance(args[i], Tensor):
                continue
            array = np.asarray(a)
            if dtype is None and array.dtype.kind == "f" and not isinstance(a, (np.ndarray, np.generic)):
                array = array.astype(np.float32)
            elif dtype is not None and (array.dtype.kind == "f" or isinstance(a, (int, float))) and a is not True:
                array = array.astype(dtype, copy=False)
            elif array.dtype.kind not in "fciub":
                raise DTypeError(f"{cls.name}: {type(a).__name__} is not a Tensor, an array or a number")
            arrays[i] = array
    return arrays


def _common(cls: type[Op], one: Any, other: Any) -> Any:
    """The dtype of two inputs that may be mixed: equal precision, real or complex."""
    common = np.result_type(one, other)
    if np.finfo(one).dtype != np.finfo(other).dtype:
        raise DTypeError(f"{cls.name}: {one} and {other} do not mix", hint=f"x.astype(np.{common})")
    return common


def _refuse_nan(ctx: Op, array: Array, what: str, arrays: list[Any]) -> None:
    """Raise for the first NaN or undeclared infinity, with the range of every input."""
    if array.dtype.kind not in "fc":
        return
    nans = int(np.isnan(array).sum())
    infinities = 0 if ctx.infinite else int(np.isinf(array).sum())
    if not nans and not infinities:
        return
    found = f"{nans} NaN" if nans else f"{infinities} infinite"
    ranges = []
    for i, a in enumerate(arrays):
        if a is not None and a.dtype.kind == "f" and a.size:
            ranges.append(
                f"{ctx.argument(i)} {shape_in_letters(a.shape)} {a.dtype} in [{np.nanmin(a):.4g}, {np.nanmax(a):.4g}]"
            )
    error = NaNError("; ".join([f"{ctx.name}: {what} holds {found}", *ranges]))
    error.add_note(f"the op was called here:\n{ctx.called_from}")
    raise error


from .tensor import Tensor  # noqa: E402 - an op makes Tensors and a Tensor calls ops: this one is defined first
