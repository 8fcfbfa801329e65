"""Every kernel through its door: both back ends, every layout, every size, every number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numba
import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import KernelError
from tinyllm.kernels import TABLE, jit, table
from tinyllm.kernels.table import DOORS
from tinyllm.kernels.warm import FEW, MANY, sample_inputs

NAMES = sorted(DOORS)
# which arguments are updated
IN_PLACE = {
    "adamw": (0, 2, 3),
    "adamw_all": (0, 2, 3),
    "add_to": (0,),
    "cross_entropy_chunk": (0,),
    "matmul_into": (2,),
}


def call(name, args, backend):
    """Every array that a kernel returns or updates."""
    args = [copied(a) if i in IN_PLACE.get(name, ()) else a for i, a in enumerate(args)]
    with kernels.use(backend):
        result = DOORS[name](*args)
    updated = []
    for i in IN_PLACE.get(name, ()):
        updated += args[i] if isinstance(args[i], list) else [args[i]]
    return updated + (list(result) if isinstance(result, tuple) else [] if result is None else [result])


def copied(a):
    return [np.array(x) for x in a] if isinstance(a, list) else np.array(a)


def widened(args, dtype):
    """The arguments with every array of that dtype as float64, also inside of lists."""
    if isinstance(args, np.ndarray):
        return args.astype(np.float64) if args.dtype == dtype else args
    return type(args)(widened(a, dtype) for a in args) if isinstance(args, (list, tuple)) else args


def read_only(args, layout):
    """The arguments with the same values in another layout, none of them writable."""
    changed = []
    for a in args:
        if isinstance(a, list):
            a = read_only(a, layout)
        if isinstance(a, np.ndarray):
            if layout == "fortran":
                a = np.asfortranarray(a)
            elif layout == "strided":
                wide = np.zeros([2 * n for n in a.shape], a.dtype)
                wide[tuple(slice(None, None, 2) for _ in a.shape)] = a
                a = wide[tuple(slice(None, None, 2) for _ in a.shape)]
            a = a.view()
            a.flags.writeable = False
        changed.append(a)
    return changed


def test_every_kernel_is_fast_and_exported():
    assert set(TABLE) == set(jit.FAST) == set(DOORS)
    assert set(TABLE) <= set(kernels.__all__)
    assert all(getattr(kernels, name) is DOORS[name] for name in DOORS)


@pytest.mark.parametrize("name", NAMES)
def test_fast_equals_reference_few_and_many_rows(name, dtype, close):
    for rows in (FEW, MANY):
        got = call(name, sample_inputs(rows, dtype)[name], "numba")
        wide = call(name, widened(sample_inputs(rows, dtype)[name], dtype), "numpy")
        for x, y in zip(got, wide, strict=True):
            if isinstance(x, float):
                assert x == pytest.approx(y, rel=1e-12)
            else:
                close(x, y, dtype, factor=256)


@pytest.mark.parametrize("layout", ["contiguous", "fortran", "strided"])
@pytest.mark.parametrize("name", NAMES)
def test_layout_does_not_matter_and_inputs_stay(name, layout, dtype, close):
    args = sample_inputs(5, dtype)[name]
    same = read_only(args, layout)
    for backend in kernels.BACKENDS:
        for x, y in zip(call(name, args, backend), call(name, same, backend), strict=True):
            close(np.asarray(y, dtype), x, dtype)
    for a, b in zip(sample_inputs(5, dtype)[name], same, strict=True):
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_same_bits_with_one_thread_and_two(name, dtype):
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("TINYLLM_THREADS=1 leaves nothing to compare")
    before, results = numba.get_num_threads(), []
    try:
        for count in (1, 2, 2):
            numba.set_num_threads(count)
            results.append(call(name, sample_inputs(MANY, dtype)[name], "numba"))
    finally:
        numba.set_num_threads(before)
    for other in results[1:]:
        for x, y in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", NAMES)
def test_dtype_is_kept(name):
    for dtype in (np.float32, np.float64, np.complex128):
        for backend in kernels.BACKENDS:
            for x in call(name, sample_inputs(FEW, dtype)[name], backend):
                assert isinstance(x, (float, complex)) or x.dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_at_all(name, dtype):
    args = sample_inputs(0, dtype)[name]
    for backend in kernels.BACKENDS:
        for x, y in zip(call(name, args, backend), call(name, args, "numpy"), strict=True):
            np.testing.assert_array_equal(x, y)
            assert np.isfinite(x).all()


NOT_ANALYTIC = ("adamw", "adamw_all", "dropout", "linear_4_by_8", "sum_of_squares", "sum_of_squares_of")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_ANALYTIC])
def test_references_are_analytic(name):
    """A tiny imaginary part comes out as h times the derivative: the same as a central difference along it."""
    args, h = sample_inputs(3, np.float64)[name], 1e-20
    rng = np.random.default_rng(1)
    along = [rng.standard_normal(a.shape) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else None for a in args]
    if name.startswith("rope"):
        along[1:] = [None, None]  # the angles are constants

    def moved(step):
        return [a if d is None else a + step * d for a, d in zip(args, along, strict=True)]

    exact = call(name, moved(h * 1j), "numpy")
    ahead, behind = call(name, moved(1e-6), "numpy"), call(name, moved(-1e-6), "numpy")
    for x, f, b in zip(exact, ahead, behind, strict=True):
        np.testing.assert_allclose(x.imag / h, (f - b) / 2e-6, rtol=1e-6, atol=1e-6 * np.abs(f).max())


def test_complex_goes_to_the_reference(monkeypatch):
    def refuse(*args):
        raise AssertionError("a complex array reached a compiled kernel")

    kernels.softmax(np.zeros((2, 3)))
    monkeypatch.setitem(TABLE["softmax"], "numba", refuse)
    with kernels.use("numba"):
        with pytest.raises(AssertionError):
            kernels.softmax(np.zeros((2, 3)))
        for x in (np.zeros((2, 3), complex), np.zeros((2, 3), np.float16), np.zeros((0, 3)), np.zeros((2, 3), ">f8")):
            assert kernels.softmax(x).shape == x.shape


def test_mixed_dtypes_go_to_the_reference():
    with kernels.use("numba"):
        y = kernels.swiglu(np.ones(3, np.float32), np.ones(3, np.float64))
    assert y.dtype == np.float64


def test_what_a_fast_kernel_declines_broadcasts():
    gate, up = np.ones((2, 3)), np.arange(3.0)
    with kernels.use("numba"):
        np.testing.assert_allclose(kernels.swiglu(gate, up), TABLE["swiglu"]["numpy"](gate, up), rtol=1e-12)
        with pytest.raises(ValueError):
            kernels.softmax_backward(np.ones((2, 3)), np.ones((2, 4)))


def test_use_restores_also_after_an_error():
    outside = kernels.backend()
    with pytest.raises(ZeroDivisionError), kernels.use("numpy"):
        assert kernels.backend() == "numpy"
        with kernels.use("numba"):
            assert kernels.backend() == "numba"
        assert kernels.backend() == "numpy"
        raise ZeroDivisionError
    assert kernels.backend() == outside


def test_use_does_not_leak_into_other_threads():
    outside = kernels.backend()
    inside = "numpy" if outside == "numba" else "numba"
    seen = []
    with kernels.use(inside):
        thread = threading.Thread(target=lambda: seen.append(kernels.backend()))
        thread.start()
        thread.join()
    assert seen == [outside]


def test_use_names_what_there_is():
    with pytest.raises(KernelError, match=r"no back end 'cuda'.*numpy, numba"), kernels.use("cuda"):
        pass


def test_kernels_run_from_several_threads_at_once():
    x = np.random.default_rng(0).standard_normal((MANY, 33))
    expected, wrong = kernels.softmax(x), []

    def work():
        for _ in range(20):
            if not np.array_equal(kernels.softmax(x), expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_a_numba_that_does_not_load_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinyllm.kernels.jit", None)
    monkeypatch.delattr(sys.modules["tinyllm.kernels"], "jit")
    with pytest.raises(KernelError, match="numba is installed but cannot be loaded"):
        table._load_numba("softmax")


def test_every_layout_meets_the_same_two_signatures():
    """One for float32 and one for float64: a third would be compiled anew in front of the user."""
    for name in NAMES:
        for layout in ("contiguous", "fortran", "strided"):
            for dtype in (np.float32, np.float64):
                call(name, read_only(sample_inputs(FEW, dtype)[name], layout), "numba")
                call(name, sample_inputs(FEW, dtype)[name], "numba")
    rungs = [
        value
        for name, module in sys.modules.items()
        if name.startswith("tinyllm.kernels.jit.")
        for key, value in vars(module).items()
        if key[-3:-1] == "_v" and hasattr(value, "signatures")
    ]
    assert len(rungs) >= 70
    assert max(len(rung.signatures) for rung in rungs) == 2


def test_the_default_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("TINYLLM_KERNELS", "NumPy")
    assert table._default.__wrapped__() == "numpy"
    monkeypatch.setenv("TINYLLM_KERNELS", "torch")
    with pytest.raises(KernelError, match=r"TINYLLM_KERNELS.*'torch'"):
        table._default.__wrapped__()


def test_warm_compiles_everything_and_says_so():
    told = []
    kernels.warm(lambda *progress: told.append(progress))
    assert [name for name, _, _ in told] == list(DOORS) or {name for name, _, _ in told} == set(DOORS)
    assert [done for _, done, _ in told] == list(range(1, len(DOORS) + 1))
    assert {total for _, _, total in told} == {len(DOORS)}


@pytest.mark.parametrize(
    ("loaded", "variable", "found"),
    [(False, "", "numpy"), (True, "", "asked"), (False, "numba", "asked"), (True, "numpy", "asked")],
)
def test_little_work_does_without_loading(monkeypatch, loaded, variable, found):
    name = "tinyllm.kernels.jit"
    monkeypatch.setitem(sys.modules, name, sys)
    if not loaded:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("TINYLLM_KERNELS", variable)
    monkeypatch.setattr(table, "_default", lambda: "asked")
    with kernels.without_loading():
        assert kernels.backend() == found
    assert kernels.backend() == "asked"
    with kernels.use("numba"), kernels.without_loading():
        assert kernels.backend() == "numba"


def fresh(code, **env):
    """Run code in a new process, at the root of the checkout."""
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, **env},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_everything_runs_without_numba():
    code = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("numba", "llvmlite"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else real(name, *rest)
from tinyllm import kernels
from tinyllm.errors import KernelError
from tinyllm.kernels.table import DOORS
from tinyllm.kernels.warm import sample_inputs
assert kernels.backend() == "numpy" and kernels.threads() >= 1
for name, arguments in sample_inputs(3).items():
    DOORS[name](*arguments)
try:
    with kernels.use("numba"):
        pass
except KernelError as error:
    print(error)
"""
    assert "numba is not installed" in fresh(code, TINYLLM_KERNELS="")


def test_importing_loads_no_numba_and_the_first_kernel_does():
    code = """
import sys
import numpy as np
from tinyllm import kernels
assert "numba" not in sys.modules
kernels.sum_of_squares(np.ones(3))
print("numba" in sys.modules)
"""
    assert fresh(code, TINYLLM_KERNELS="numba") == "True"


def test_references_call_references_through_the_table(monkeypatch):
    """What stands in the table in place of a reference is what the others run, on either back end's behalf."""
    calls = []

    def mine(x):
        calls.append(x.shape)
        return np.zeros(x.shape[:-1])

    monkeypatch.setitem(TABLE["logsumexp"], "numpy", mine)
    with kernels.use("numba"):
        logits = np.ones((2, 3), complex)  # goes to the reference of cross_entropy
        losses, _ = kernels.cross_entropy(logits, np.array([0, 1]), -100)
    assert calls == [(2, 3)]
    np.testing.assert_array_equal(losses, [-1, -1])


def test_no_reference_is_called_past_the_table():
    """A reference that another keeps for itself could not be replaced."""
    for path in Path(kernels.__file__).parent.glob("*.py"):
        assert "__wrapped__" not in path.read_text(encoding="utf-8").replace("``door.__wrapped__``", ""), path.name
