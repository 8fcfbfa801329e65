"""gradcheck: is this gradient the derivative? A check that cannot be fooled.

Most checks in the field are weak. A loss of ``.sum()`` makes the true gradient of softmax zero, so a backward pass that
returns zeros passes; a tolerance of 1e-2 lets wrong factors through. Here, for every input:

- float64 or nothing;
- the cotangent is random, never ones;
- the gradient is held against the complex step at rtol 1e-10 where the function is analytic, against central
  differences at 1e-6 where it is not: along every entry of a small input, along random directions of a large one;
- a cotangent of zeros must give exactly zero, two backward passes must agree to the bit, inputs must stay untouched;
- gradients that are wrong on purpose (zero, negated, 0.1 % off, shifted, transposed) must be rejected by this very
  comparison. Where they are not, the check says so instead of passing: it could not have told right from wrong.

The comparison itself is in ``compare.py``; ``battery.py`` adds what can only be asked of an op.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import kernels
from ..errors import DTypeError, GradcheckError, GraphError, OpError
from . import graph
from .compare import compare
from .diagnosis import guess
from .draw import Draw
from .modes import no_grad
from .numeric import central_difference, complex_step
from .tensor import Tensor

Array = np.ndarray[Any, Any]

FEW = 128  # up to so many entries, an input is checked entry by entry
DIRECTIONS = 8  # beyond, along so many random directions
RTOL = {"complex step": 1e-10, "central difference": 1e-6}
_STEPS = {"complex step": complex_step, "central difference": central_difference}


@dataclass
class Finding:
    """What the check found for one input."""

    argument: str
    shape: tuple[int, ...]
    error: float = 0.0  # the largest difference, relative to the largest expected value
    ok: bool = True
    vacuous: bool = False
    index: tuple[int, ...] = ()
    got: float = 0.0
    expected: float = 0.0
    guess: str = ""
    entries: str = "every entry"

    def __str__(self) -> str:
        if self.ok:
            return f"ok    {self.argument} {self.shape}: relative error {self.error:.1e}, {self.entries}"
        if self.vacuous:
            return f"FAIL  {self.argument} {self.shape}: {self.guess}"
        ratio = f", ratio {self.got / self.expected:.6g}" if self.expected else ""
        where = f"at {self.index}: " if self.index else ""
        text = f"FAIL  {self.argument} {self.shape}: relative error {self.error:.1e}; {where}"
        text += f"got {self.got:.8g}, expected {self.expected:.8g}{ratio}"
        return text + (f"\n      {self.guess}" if self.guess else "")


@dataclass
class Report:
    """The verdict on a function: true when every gradient is the derivative; as text, a line per input."""

    name: str
    method: str = ""
    rtol: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Did every input pass?"""
        return all(finding.ok for finding in self.findings)

    @property
    def error(self) -> float:
        """The largest relative error of all inputs."""
        return max((finding.error for finding in self.findings), default=0.0)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = [f"{self.name}: {'ok' if self.ok else 'WRONG'} by {self.method}, rtol {self.rtol:.0e}"]
        return "\n".join(lines + [f"  {finding}" for finding in self.findings])


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    *,
    names: Sequence[str] | None = None,
    method: str = "auto",
    rtol: float | None = None,
    rng: np.random.Generator | None = None,
    raises: bool = True,
) -> Report:
    """Check the gradient of any function of Tensors against its numeric derivative.

    Args:
        f: takes the inputs as Tensors and returns a Tensor, of any shape, or a tuple of them. It must be deterministic.
            It may also ignore its arguments and use the Tensors in ``inputs`` where they live: this is how a whole
            model is checked, ``gradcheck(lambda *_: model.loss(idx, targets), list(model.parameters()))``.
        inputs: a Tensor or array, or a list of them, in float64. Integer arrays are passed on, not checked.
        names: what to call the inputs in the report.
        method: "complex step", "central difference", or "auto": the first where it agrees with the second.
        rtol: the tolerance, relative to the largest entry; by default 1e-10 and 1e-6.
        rng: where the random cotangent comes from; by default a generator with a fixed seed.
        raises: raise when the check fails; without it the report is only returned.

    Returns:
        A Report, true when all is well.

    Raises:
        GradcheckError: a gradient is wrong, or the check could not have told right from wrong.
        DTypeError: an input is not float64.

    Source: Squire & Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review 1998.

    Example:
        >>> import tinyllm as tl
        >>> x = tl.Tensor(np.array([0.5, 1.0, 2.0]), requires_grad=True)
        >>> print(tl.gradcheck(lambda x: x.exp() * x, x, names=["x"]))
        <lambda>: ok by complex step, rtol 1e-10
          ok    x (3,): relative error ..., every entry
        >>> tl.gradcheck(lambda x: x.softmax().sum(), x)  # the gradient of a constant: anything would pass
        Traceback (most recent call last):
            ...
        tinyllm.errors.GradcheckError: E-GRADCHECK ...
    """
    args = [_as_input(x) for x in (inputs if isinstance(inputs, (list, tuple)) else [inputs])]
    checked = {i: x for i, x in enumerate(args) if isinstance(x, Tensor) and x.requires_grad}
    if not checked:
        raise GraphError("gradcheck: no input requires a gradient", hint="Tensor(array, requires_grad=True)")
    for i, x in checked.items():
        if x.dtype != np.float64:
            hint = "x.astype(np.float64)"
            raise DTypeError(f"gradcheck: input {i} is {x.dtype}, and a check needs float64", hint=hint)
    labels = [names[i] if names else f"input {i}" for i in checked]
    draw = Draw(rng or np.random.default_rng(20250101))
    function = _Function(f, args, list(checked.values()))
    values = function.values
    _refuse_unsteady(function, [draw.unit(*y.shape) for y in values], labels)

    method = _choose(function, draw) if method == "auto" else method
    report = Report(getattr(f, "__name__", "function"), method, RTOL[method] if rtol is None else rtol)
    seed = int(draw.rng.integers(2**63))  # the same cotangent for each input: one backward pass answers them all
    for k, label in enumerate(labels):
        point = function.tensors[k].data
        directions = _directions(point, draw)
        again = Draw(np.random.default_rng(seed))
        ok, error, grad, expected = compare(
            function.at(k), function.pull_back(k), point, directions, again, _STEPS[method], report.rtol
        )
        finding = Finding(label, point.shape, error, ok)
        # below this a derivative is rounding; where there are no values, zero is the only answer
        noise = 1e-14 * max(1.0, _largest(values)) / max(1.0, _largest([point])) if _size(values) else 0.0
        report.findings.append(_judge(finding, grad, directions, expected, report.rtol, noise))
    if raises and not report:
        raise GradcheckError(str(report))
    return report


def _as_input(x: Any) -> Any:
    """Arrays of floating-point numbers become Tensors to check; Tensors, and what has no gradient, stay as they are."""
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        return Tensor(x, requires_grad=True)
    return x


class _Function:
    """The function under test with its arguments, some of them to be checked: evaluated anywhere, differentiated."""

    def __init__(self, f: Callable[..., Any], args: list[Any], tensors: list[Tensor]) -> None:
        self.f = f
        self.args = args
        self.tensors = tensors
        self.asked: tuple[bytes, list[Array]] | None = None  # the last cotangent, and the gradients it gave

    @functools.cached_property
    def values(self) -> list[Array]:
        """The results where the inputs are now."""
        return [y.data for y in self.outputs()]

    def outputs(self) -> list[Tensor]:
        y = self.f(*self.args)
        outputs = list(y) if isinstance(y, (tuple, list)) else [y]
        for out in outputs:
            if not isinstance(out, Tensor):
                raise OpError(f"gradcheck: the function returned {type(out).__name__}, not a Tensor")
        return outputs

    def gradients(self, cotangents: list[Array]) -> list[Array]:
        """Run forward and backward once; what was in ``grad`` before is put back."""
        before = [t.grad for t in self.tensors]
        images = [t.data.tobytes() for t in self.tensors]
        for t in self.tensors:
            t.grad = None
        try:
            outputs = self.outputs()
            for k, (y, dy) in enumerate(zip(outputs, cotangents, strict=True)):
                if y.requires_grad:
                    y.backward(dy, retain_graph=k < len(outputs) - 1)
            for t, image in zip(self.tensors, images, strict=True):
                if t.data.tobytes() != image:
                    raise GradcheckError("the function changed its input in place", hint="compute a new array instead")
            return [np.zeros(t.shape) if t.grad is None else t.grad for t in self.tensors]
        finally:
            for t, grad in zip(self.tensors, before, strict=True):
                t.grad = grad

    def pull_back(self, k: int) -> Callable[[Array], Array]:
        """The backward pass to the checked input ``k`` alone, from flat cotangent to gradient."""

        def run(v: Array) -> Array:
            if self.asked is None or self.asked[0] != v.tobytes():
                shapes = [y.shape for y in self.values]
                pieces = np.split(v, np.cumsum([math.prod(shape) for shape in shapes])[:-1])
                cotangents = [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]
                self.asked = v.tobytes(), self.gradients(cotangents)
            return self.asked[1][k]

        return run

    def at(self, k: int) -> Callable[[Array], Array]:
        """The function of the checked input ``k`` alone, from array to flat array, without a graph."""
        tensor = self.tensors[k]

        def evaluate(x: Array) -> Array:
            kept = tensor.data
            if x is kept:
                return _flat(self.values)
            tensor.data = x
            try:
                with no_grad(), kernels.use("numpy" if x.dtype.kind == "c" else kernels.backend()):
                    return _flat([y.data for y in self.outputs()])
            finally:
                tensor.data = kept

        return evaluate


def _largest(arrays: list[Array]) -> float:
    return max((float(np.abs(a).max(initial=0.0)) for a in arrays), default=0.0)


def _size(arrays: list[Array]) -> int:
    return sum(a.size for a in arrays)


def _flat(arrays: list[Array]) -> Array:
    return np.concatenate([np.ravel(a) for a in arrays])


def _refuse_unsteady(function: _Function, cotangents: list[Array], labels: list[str]) -> None:
    """The same backward pass twice gives the same bits; one from zeros gives zeros."""
    grads = function.gradients(cotangents)
    again = function.gradients(cotangents)
    nothing = function.gradients([np.zeros_like(c) for c in cotangents])
    for label, one, two, zero in zip(labels, grads, again, nothing, strict=True):
        if one.tobytes() != two.tobytes():
            raise GradcheckError(
                f"{label}: two backward passes of the same function differ", hint="fix its random state"
            )
        if np.any(zero):
            raise GradcheckError(f"{label}: a cotangent of zeros gives a gradient that is not zero")


def _choose(function: _Function, draw: Draw) -> str:
    """Take the complex step if every op allows it and, along one direction per input, it agrees with a difference."""
    for y in function.outputs():
        if y.node is not None and not all(op.analytic for op in graph.toposort(y.node)):
            return "central difference"
    for k, tensor in enumerate(function.tensors):
        x = tensor.data
        u = draw.unit(*x.shape)
        try:
            exact = complex_step(function.at(k), x, u)
        except (TypeError, ValueError):
            return "central difference"
        rough = central_difference(function.at(k), x, u)
        if np.abs(exact - rough).max(initial=0.0) > 1e-5 * max(1e-3, np.abs(rough).max(initial=0.0)):
            return "central difference"
    return "complex step"


def _directions(x: Array, draw: Draw) -> list[Array]:
    """Every entry of a small input, one at a time; some random directions of a large one."""
    if x.size <= FEW:
        return [np.reshape(row, x.shape) for row in np.eye(x.size)]
    return [draw.unit(*x.shape) for _ in range(DIRECTIONS)]


def wrong_on_purpose(grad: Array) -> Iterator[tuple[str, Array]]:
    """Yield the gradients that a check must reject, each with the name of its fault."""
    yield "zero", np.zeros_like(grad)
    yield "negated", -grad
    yield "0.1 % too large", grad * 1.001
    if grad.size > 1:
        yield "shifted by one entry", np.roll(np.ravel(grad), 1).reshape(grad.shape)
    if grad.ndim >= 2 and grad.shape[-1] == grad.shape[-2]:
        yield "transposed", np.swapaxes(grad, -1, -2)


def _judge(
    finding: Finding, grad: Array, directions: list[Array], expected: Array, rtol: float, noise: float
) -> Finding:
    """Complete what was found: where the gradient is wrong and why, or that a wrong one would have passed as well."""
    whole = grad.size <= FEW
    if not whole:
        finding.entries = f"{len(directions)} random directions"
    if not grad.size or (not noise and not finding.error):
        return finding

    def read(g: Array) -> Array:
        return np.ravel(g) if whole else np.array([np.vdot(g, u) for u in directions])

    scale = float(np.abs(expected).max(initial=0.0))
    got = read(grad)
    if scale <= noise and np.abs(got).max() <= 10 * noise:
        return _vacuous(finding, "zero")
    if not finding.ok:
        difference = np.abs(got - expected)
        worst = int(np.nanargmax(difference)) if not np.isnan(difference).all() else 0
        finding.index = tuple(int(k) for k in np.unravel_index(worst, grad.shape)) if whole else ()
        finding.got, finding.expected = float(got[worst]), float(expected[worst])
        finding.guess = guess(grad, expected.reshape(grad.shape), rtol) if whole else ""
        return finding
    for fault, mutant in wrong_on_purpose(grad):
        if np.array_equal(mutant, grad) and scale:
            continue  # a shift of equal entries is no fault
        seen = np.abs(read(mutant) - expected).max()
        if not scale or seen <= rtol * scale:
            return _vacuous(finding, fault)
    return finding


def _vacuous(finding: Finding, fault: str) -> Finding:
    finding.ok, finding.vacuous = False, True
    finding.guess = (
        f"this check is vacuous: a gradient that is {fault} passes it as well. "
        "The true gradient is too small or too regular; check another function of it, or another point."
    )
    return finding
