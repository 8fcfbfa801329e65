"""The battery: everything that is asked of an op before it may be used.

``gradcheck`` holds the gradient against the numeric derivative and proves that wrong ones are caught. The battery runs
it on every sample of an op, and adds what can only be asked of a single op: the whole Jacobian, memory that nobody may
write to, odd layouts, every subset of inputs, float32 on every back end, refusals, and declared subgradients. An op
that passes on all of its samples can be trusted; an op that is not in the battery does not exist
(``tests/architecture``).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import kernels
from ..errors import GradcheckError, TinyLLMError
from .draw import Draw, Sample, as_sample
from .gradcheck import FEW, Report, gradcheck
from .numeric import complex_step
from .op import Op
from .tensor import Tensor

Array = np.ndarray[Any, Any]


def samples_of(op: type[Op], seed: int = 0) -> list[Sample]:
    """Draw the samples of an op from a seed."""
    return [as_sample(drawn) for drawn in op.samples(Draw(np.random.default_rng(seed)))]


def floats(op: type[Op], sample: Sample) -> list[int]:
    """Which arguments have gradients: those that are floating-point arrays and not declared constant."""
    real = [i for i, a in enumerate(sample.args) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    return [i for i in real if op.argument(i) not in op.constants]


def check_op(op: type[Op], sample: Sample, rng: np.random.Generator | None = None) -> Report:
    """Put one sample of an op through the whole battery.

    Raises:
        GradcheckError: with the op, the argument, and what was wrong.
    """
    draw = Draw(rng or np.random.default_rng([7, 20250101]))  # not a seed that samples are drawn from
    report = _derivative(op, sample, draw)
    _whole_jacobian(op, sample)
    _read_only_by_hand(op, sample, draw)
    _every_subset(op, sample, draw)
    _odd_layouts(op, sample, draw)
    _float32(op, sample, draw)
    return report


def check_refusals(op: type[Op], seed: int = 0) -> int:
    """Check that what the op declares as bad is refused with the declared error and words; return how many cases."""
    count = 0
    for drawn, error_class, pattern in op.bad(Draw(np.random.default_rng(seed))):
        sample = as_sample(drawn)
        try:
            op.apply(*sample.args, **sample.params)
        except error_class as error:
            text = str(error)
            if not isinstance(error, TinyLLMError) or not re.search(pattern, text) or "\n" in text:
                raise GradcheckError(f"{op.name}: refused, but in these words: {text!r}, not {pattern!r}") from error
        else:
            raise GradcheckError(f"{op.name}: took what it declares as bad ({error_class.__name__}: {pattern})")
        count += 1
    return count


def check_kinks(op: type[Op]) -> int:
    """Check the subgradients that the op declares, for a cotangent of ones; return how many points were tried."""
    points = list(op.kinks())
    if bool(points) != bool(op.kink):
        raise GradcheckError(f"{op.name}: a kink is declared in words and pinned in kinks(), or neither")
    for drawn, declared in points:
        sample = as_sample(drawn)
        expected = declared if isinstance(declared, tuple) else (declared,)
        _, grads = _run(op, sample, floats(op, sample), cotangents=None)
        for i, want in zip(floats(op, sample), expected, strict=True):
            if not np.array_equal(grads[i], want):
                raise GradcheckError(f"{op.name}: at its kink d{op.argument(i)} is {grads[i]}, declared {want}")
    return len(points)


def _tensors(op: type[Op], sample: Sample, wanted: Any, dtype: Any = None) -> list[Any]:
    """The sample's arrays as leaves; those not wanted do not require a gradient."""
    made: list[Any] = []
    for i, a in enumerate(sample.args):
        if isinstance(a, np.ndarray) and a.dtype.kind == "f":
            made.append(Tensor(a.astype(dtype or a.dtype), requires_grad=i in wanted))
        else:
            made.append(a)
    return made


def _run(op: type[Op], sample: Sample, wanted: Any, cotangents: list[Array] | None, dtype: Any = None) -> Any:
    """Forward and backward through the engine: the results, and the gradients by argument."""
    tensors = _tensors(op, sample, wanted, dtype)
    y = op.apply(*tensors, **sample.params)
    outputs = list(y) if isinstance(y, tuple) else [y]
    for k, out in enumerate(outputs):
        dy = np.ones(out.shape) if cotangents is None else cotangents[k]
        out.backward(dy.astype(out.dtype), retain_graph=k < len(outputs) - 1)
    return [out.data for out in outputs], {i: tensors[i].grad for i in wanted}


def _cotangents(op: type[Op], sample: Sample, draw: Draw) -> list[Array]:
    y = op.apply(*sample.args, **sample.params)
    return [draw.unit(*out.shape) for out in (y if isinstance(y, tuple) else (y,))]


def _derivative(op: type[Op], sample: Sample, draw: Draw) -> Report:
    """Complex step or differences, zero cotangent, repeatability, mutants, vacuity: all in gradcheck."""
    wanted = floats(op, sample)

    def f(*xs: Tensor) -> Any:
        return op.apply(*xs, **sample.params)

    f.__name__ = op.name
    names = [op.argument(i) for i in range(len(sample.args))]
    method = "complex step" if op.analytic else "central difference"
    return gradcheck(f, _tensors(op, sample, wanted), names=names, method=method, rng=draw.rng)


def _whole_jacobian(op: type[Op], sample: Sample) -> None:
    """Where it is small: every row of the Jacobian, by a backward pass, against every column, by a complex step."""
    if not op.analytic:
        return
    y = op.apply(*sample.args, **sample.params)
    if isinstance(y, tuple) or not 0 < y.size <= FEW // 2:
        return
    for i in floats(op, sample):
        x = sample.args[i]
        if not 0 < x.size <= FEW // 2:
            continue

        def f(x: Array, i: int = i) -> Array:
            args = [x if k == i else a for k, a in enumerate(sample.args)]
            with kernels.use("numpy"):
                return np.ravel(op.apply(*args, **sample.params).data)

        columns = [complex_step(f, x, u.reshape(x.shape)) for u in np.eye(x.size)]
        rows = [_run(op, sample, [i], [dy.reshape(y.shape)])[1][i] for dy in np.eye(y.size)]
        jacobian, by_hand = np.stack(columns, axis=1), np.stack([np.ravel(row) for row in rows])
        error = np.abs(jacobian - by_hand).max() / (np.abs(jacobian).max() or 1.0)
        if not error <= 1e-10:
            raise GradcheckError(f"{op.name}: the Jacobian for {op.argument(i)} is off by {error:.1e}")


def _read_only_by_hand(op: type[Op], sample: Sample, draw: Draw) -> None:
    """forward and backward on arrays that nobody may write to, called by hand; the cotangent too."""
    args = [_frozen(a) if isinstance(a, np.ndarray) else a for a in sample.args]
    ctx = op()
    result = ctx.forward(*args, **sample.params)
    results = result if isinstance(result, tuple) else (result,)
    dys = [_frozen(draw.unit(*np.shape(r))) for r in results]
    images = [a.tobytes() for a in (*args, *dys) if isinstance(a, np.ndarray)]
    ctx.backward(*dys)
    if images != [a.tobytes() for a in (*args, *dys) if isinstance(a, np.ndarray)]:
        raise GradcheckError(f"{op.name}: an input or the cotangent was changed in place")


def _frozen(a: Array) -> Array:
    copy = a.copy()
    copy.flags.writeable = False
    return copy


def _every_subset(op: type[Op], sample: Sample, draw: Draw) -> None:
    """Whichever inputs require a gradient, each gets the same one, in its own shape and dtype."""
    wanted = floats(op, sample)
    dys = _cotangents(op, sample, draw)
    _, whole = _run(op, sample, wanted, dys)
    for size in range(1, len(wanted) + 1):
        for subset in itertools.combinations(wanted, size):
            _, grads = _run(op, sample, subset, dys)
            for i in subset:
                if grads[i].shape != sample.args[i].shape or grads[i].dtype != sample.args[i].dtype:
                    raise GradcheckError(f"{op.name}: d{op.argument(i)} is {grads[i].dtype} {grads[i].shape}")
                if not np.array_equal(grads[i], whole[i], equal_nan=True):
                    raise GradcheckError(f"{op.name}: d{op.argument(i)} changes when only {subset} require a gradient")


def strided(a: Array) -> Array:
    """The same values in an awkward place: every other column of a larger, reversed array."""
    if not a.ndim:
        return a
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), dtype=a.dtype)
    wide[..., ::2] = a[..., ::-1]
    return wide[..., ::2][..., ::-1]


def _odd_layouts(op: type[Op], sample: Sample, draw: Draw) -> None:
    """Arrays that are not contiguous give the same results."""
    wanted = floats(op, sample)
    odd = Sample(tuple(strided(a) if isinstance(a, np.ndarray) else a for a in sample.args), sample.params)
    dys = _cotangents(op, sample, draw)
    for backend in _backends():
        with kernels.use(backend):
            plain_y, plain = _run(op, sample, wanted, dys)
            tensors = [Tensor(a, requires_grad=True) if i in wanted else a for i, a in enumerate(odd.args)]
            y = op.apply(*tensors, **sample.params)
            outputs = list(y) if isinstance(y, tuple) else [y]
            for k, (out, dy) in enumerate(zip(outputs, dys, strict=True)):
                out.backward(strided(dy), retain_graph=k < len(outputs) - 1)
            for got, want in zip([o.data for o in outputs], plain_y, strict=True):
                _close(op, "the result from a strided array", got, want, 1e-12)
            for i in wanted:
                _close(op, f"d{op.argument(i)} of strided arrays", tensors[i].grad, plain[i], 1e-12)


def _float32(op: type[Op], sample: Sample, draw: Draw) -> None:
    """float32 in, float32 out, on every back end, near the float64 reference as far as seven digits go."""
    wanted = floats(op, sample)
    dys = _cotangents(op, sample, draw)
    with kernels.use("numpy"):
        reference, slopes = _run(op, sample, wanted, dys)
    for backend, dtype in itertools.product(_backends(), (np.float32, np.float64)):
        with kernels.use(backend):
            y, grads = _run(op, sample, wanted, dys, dtype)
        # rounding the inputs alone moves a value by eps times its slope times the size of its input
        tolerance = (2e-4 if dtype == np.float32 else 1e-11) * max([1.0, *(_largest(sample.args[i]) for i in wanted)])
        for got, want in zip(y, reference, strict=True):
            if "dtype" not in sample.params and want.dtype.kind == "f" and got.dtype != dtype:
                raise GradcheckError(f"{op.name}: the result of {np.dtype(dtype)} inputs is {got.dtype}")
            _close(op, f"the result on {backend} in {np.dtype(dtype)}", got, want, tolerance)
        for i in wanted:
            _close(op, f"d{op.argument(i)} on {backend} in {np.dtype(dtype)}", grads[i], slopes[i], tolerance)


def _backends() -> Iterator[str]:
    yield "numpy"
    try:
        with kernels.use("numba"):
            yield "numba"
    except TinyLLMError:
        return


def _largest(a: Array) -> float:
    return float(np.abs(a).max(initial=0.0))


def _close(op: type[Op], what: str, got: Any, want: Any, rtol: float) -> None:
    if got.shape != want.shape:
        raise GradcheckError(f"{op.name}: {what} has shape {got.shape}, not {want.shape}")
    finite = np.isfinite(want)
    if not np.array_equal(np.asarray(got)[~finite], np.asarray(want)[~finite], equal_nan=True):
        raise GradcheckError(f"{op.name}: {what} differs where it is not finite")
    error = np.abs(np.where(finite, got, 0) - np.where(finite, want, 0)).max(initial=0.0)
    if not error <= rtol * max(_largest(np.where(finite, want, 0)), 1e-30):
        raise GradcheckError(f"{op.name}: {what} is off by {error:.2e} (largest value {_largest(want):.2e})")
