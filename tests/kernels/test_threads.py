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
