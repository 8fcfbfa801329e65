"""The policy for threads, and the stamp that keeps compiled code and sources together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinyllm import kernels
from tinyllm.errors import KernelError
from tinyllm.kernels import compiler
from tinyllm.kernels.jit.softmax import softmax_v2
from tinyllm.kernels.memory import keep_freed_memory
from tinyllm.kernels.threads import GATE, LIMIT, blas_threads, cores, granted

JIT = Path(compiler.__file__).with_name("jit")


def test_threads_are_those_asked_for(monkeypatch):
    monkeypatch.setenv("TINYLLM_THREADS", "3")
    assert kernels.threads() == 3
    monkeypatch.setenv("TINYLLM_THREADS", "")
    assert kernels.threads() >= 1


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5", "²"])
def test_a_wrong_number_of_threads_is_named(monkeypatch, asked):
    monkeypatch.setenv("TINYLLM_THREADS", asked)
    with pytest.raises(KernelError, match=r"TINYLLM_THREADS.*not a number of threads.*1 or more"):
        kernels.threads()


def test_a_block_of_fewer_threads_reaches_numba_and_blas_and_ends(monkeypatch):
    monkeypatch.setenv("TINYLLM_THREADS", "3")
    before = blas_threads(), GATE[LIMIT]
    with kernels.use_threads(2):
        assert (kernels.threads(), GATE[LIMIT]) == (2, 2)
        with pytest.raises(ZeroDivisionError), kernels.use_threads(1):
            assert (kernels.threads(), GATE[LIMIT]) == (1, 1)
            assert blas_threads() in (1, None)
            raise ZeroDivisionError
        assert kernels.threads() == 2
    assert (blas_threads(), GATE[LIMIT]) == before
    for wrong in (0, 4, -1, 1.5, True, "2"):
        with pytest.raises(KernelError, match=r"use_threads.*this process has 3.*1 to 3"), kernels.use_threads(wrong):
            pass


def test_a_block_of_one_thread_shares_nothing_and_gives_the_same_bits():
    code = """
import threading
import numpy as np
from tinyllm import kernels
from tinyllm.kernels.threads import BUSY, GATE, POOL
import ctypes
x = np.random.default_rng(0).standard_normal((4096, 40)).astype(np.float32)
expected = kernels.softmax(x)
pool, calls = GATE[POOL], []
share = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, *[ctypes.c_int64] * 3)

@share
def counting(*arguments):
    calls.append((arguments[-1], GATE[BUSY]))
    share(pool)(*arguments)

GATE[POOL] = ctypes.cast(counting, ctypes.c_void_p).value
same = [np.array_equal(kernels.softmax(x), expected)]
with kernels.use_threads(1):
    same.append(np.array_equal(kernels.softmax(x), expected))
GATE[BUSY] = 1
same.append(np.array_equal(kernels.softmax(x), expected))
GATE[BUSY] = 0
with kernels.use_threads(2):
    same.append(np.array_equal(kernels.softmax(x), expected))
print(calls, all(same), GATE[BUSY])
"""
    assert story(code, TINYLLM_THREADS="3", TINYLLM_KERNELS="numba") == "[(3, 1), (2, 1)] True 0"


def test_a_numba_that_was_there_first_is_held_to_the_policy():
    code = """
import numba
import numpy as np
from tinyllm import kernels
from tinyllm.kernels.threads import GATE, LIMIT
kernels.softmax(np.ones((2, 3)))
print(numba.config.NUMBA_NUM_THREADS, GATE[LIMIT], kernels.threads())
"""
    assert story(code, TINYLLM_THREADS="2", NUMBA_NUM_THREADS="4", TINYLLM_KERNELS="numba") == "4 2 2"


def control_groups(root, lines, files):
    """A machine whose process is in these control groups."""
    for name, text in {"proc/self/cgroup": lines, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return granted(str(root))


def test_what_a_container_is_granted(tmp_path):
    two, one = "0::/a/b\n", "5:memory:/x\n3:cpu,cpuacct:/docker/abc\n"
    fs = "sys/fs/cgroup/"
    assert granted(str(tmp_path / "no such system")) is None
    assert control_groups(tmp_path / "1", two, {fs + "a/cpu.max": "max 100000\n"}) is None
    assert control_groups(tmp_path / "2", two, {fs + "a/b/cpu.max": "150000 100000\n"}) == 1.5
    above = {fs + "a/b/cpu.max": "400000 100000\n", fs + "a/cpu.max": "200000 100000\n"}
    assert control_groups(tmp_path / "3", two, above) == 2
    assert control_groups(tmp_path / "4", "0::/\n", {fs + "cpu.max": "50000 100000\n"}) == 0.5
    v1 = {fs + "cpu/cpu.cfs_quota_us": "300000\n", fs + "cpu/cpu.cfs_period_us": "100000\n"}
    assert control_groups(tmp_path / "5", one, v1) == 3  # its own folder is not shown inside of the container
    v1[fs + "cpu/cpu.cfs_quota_us"] = "-1\n"
    assert control_groups(tmp_path / "6", one, v1) is None
    assert control_groups(tmp_path / "7", "0::/\n", {fs + "cpu.max": "what is this\n"}) is None


def test_a_small_grant_makes_few_threads(monkeypatch):
    module = sys.modules["tinyllm.kernels.threads"]
    monkeypatch.setattr(module, "_allowed", lambda: frozenset(range(64)))
    monkeypatch.setattr(module, "_apart", lambda allowed: 32)
    for share, expected in ((None, 32), (0.5, 1), (1, 1), (2.5, 3), (48, 32)):
        monkeypatch.setattr(module, "granted", lambda share=share: share)
        assert cores() == expected


def test_a_core_that_shows_itself_twice_counts_once(tmp_path):
    apart = sys.modules["tinyllm.kernels.threads"]._apart
    for n in range(4):
        siblings = tmp_path / f"cpu{n}" / "topology" / "thread_siblings_list"
        siblings.parent.mkdir(parents=True)
        siblings.write_text(f"{n % 2},{n % 2 + 2}\n")
    assert apart(frozenset(range(4)), str(tmp_path)) == 2
    assert apart(frozenset((0, 2)), str(tmp_path)) == 1
    assert apart(frozenset(range(5)), str(tmp_path)) == 5  # where one keeps silent, each counts


def story(code, **env):
    """Run a program in a process of its own and return what it printed."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=240,
        env={**os.environ, **env},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_the_policy_reaches_openmp_and_numba_and_respects_the_user():
    code = """
import os
from tinyllm.kernels import jit
import numba
print(os.environ["OMP_WAIT_POLICY"], numba.config.NUMBA_NUM_THREADS)
"""
    for wait in ("", "ACTIVE"):
        env = {**os.environ, "TINYLLM_THREADS": "1"}
        env.pop("OMP_WAIT_POLICY", None)
        if wait:
            env["OMP_WAIT_POLICY"] = wait
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
            env=env,
        )
        assert run.stdout.split() == [wait or "PASSIVE", "1"], run.stderr


def test_the_policy_reaches_blas_on_either_back_end():
    code = """
import numpy as np
from tinyllm.kernels import threads
import sys
module = sys.modules["tinyllm.kernels.threads"]
asked = []
module.set_blas_threads = asked.append
from tinyllm import kernels
kernels.softmax(np.ones(3))
print(asked)
"""
    for backend in kernels.BACKENDS:
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "TINYLLM_THREADS": "1", "TINYLLM_KERNELS": backend},
        )
        assert set(run.stdout.strip("[]\n").split(", ")) == {"1"}, run.stderr


def test_freed_memory_is_kept_unless_the_user_says_otherwise():
    code = """
import resource, sys
import numpy as np
from tinyllm import kernels
kernels.backend()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(1 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
    if not keep_freed_memory():
        pytest.skip("this C library has no such setting, or the user has set it")
    counts = []
    for setting in ("", str(1 << 17)):
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "MALLOC_TRIM_THRESHOLD_": setting, "TINYLLM_KERNELS": "numpy"},
        )
        counts.append(int(run.stdout))
    assert counts[0] < 10 < counts[1]


def test_kernels_compile_where_nothing_can_be_cached(monkeypatch):
    real = compiler.njit

    def nowhere_to_write(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(compiler, "njit", nowhere_to_write)
    assert compiler.compiled(lambda x: x + 1)(2) == 3


def test_machine_code_is_stamped_with_all_sources():
    assert softmax_v2._cache._cache_file._source_stamp == compiler.digest(JIT)
    assert len(compiler.digest(JIT)) == 64


SUMS = """
import hashlib
import numpy as np
from tinyllm import kernels
draw = np.random.default_rng(0).standard_normal
x, y, dy = (draw((12, 64, 344)).astype(np.float32) for _ in range(3))
q, k, v = (draw((1, 2, 2, 16)).astype(np.float32) for _ in range(3))
kernels.softmax(x)
found = [*kernels.swiglu_backward(x, y, dy), kernels.gelu_tanh(x), *kernels.attention(q, k, v, True, None, 0.25)]
print([hashlib.sha256(array.tobytes()).hexdigest() for array in found])
"""


@pytest.mark.slow
def test_the_first_run_on_a_machine_gives_the_bits_of_the_second(tmp_path):
    """Machine code just compiled and machine code from the cache are the same code."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "TINYLLM_KERNELS": "numba"}
    root = Path(__file__).parents[2]
    runs = [
        subprocess.run(
            [sys.executable, "-c", SUMS], capture_output=True, text=True, check=True, cwd=root, env=environment
        ).stdout
        for _ in range(2)
    ]
    assert any(tmp_path.rglob("*.nbi"))
    assert runs[0] == runs[1]
