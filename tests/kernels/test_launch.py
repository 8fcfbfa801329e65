"""Parallel kernels from several Python threads, from forked children and under Ctrl-C: they go on, with the same bits.

Each story runs in a process of its own: what it guards against ends the process, or makes it wait for ever.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("omp", "workqueue")

WORK = """
import os, signal, sys, threading
import numpy as np
from tinyllm import kernels
draw = np.random.default_rng(0).standard_normal
x, g = draw((4096, 40)).astype(np.float32), np.ones(40, np.float32)
q, k, v = (draw((2, 4, 64, 16)).astype(np.float32) for _ in range(3))
a, b = (draw((192, 192)).astype(np.float32) for _ in range(2))
WORK = [
    lambda: kernels.softmax(x),
    lambda: kernels.gelu(x),
    lambda: kernels.gelu(x[:2]),
    lambda: kernels.layer_norm(x, g, g, 1e-5)[0],
    lambda: kernels.attention(q, k, v, True, None, 0.25)[0],
    lambda: kernels.matmul(a, b),
    lambda: np.matmul(a, b),
]
"""
THREADS = (
    WORK
    + """
expected, wrong = [work() for work in WORK], []

def run(first):
    for n in range(60):
        i = (first + n) % len(WORK)
        if not np.array_equal(WORK[i](), expected[i]):
            wrong.append(i)

workers = [threading.Thread(target=run, args=(first,)) for first in range(8)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
import numba
print(numba.threading_layer(), wrong)
"""
)
FORK = (
    WORK
    + """
expected = [work() for work in WORK]

def same():
    return all(np.array_equal(work(), e) for work, e in zip(WORK, expected))

def child(generations):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    signal.alarm(60)  # a child that waits for ever ends here
    well = same() and kernels.threads() == 1 and (generations == 1 or child(generations - 1) == 0)
    os._exit(0 if well else 1)

before = kernels.threads()
print(child(2), child(1), same(), kernels.threads() == before)
"""
)
FORK_AT_WORK = (
    WORK
    + """
expected = kernels.softmax(x)
ended = []
busy = threading.Thread(target=lambda: [kernels.softmax(x) for _ in iter(lambda: bool(ended), True)])
busy.start()
codes = set()
for _ in range(20):
    pid = os.fork()
    if not pid:
        signal.alarm(60)
        os._exit(0 if np.array_equal(kernels.softmax(x), expected) else 1)
    codes.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
ended.append(True)
busy.join()
print(codes, np.array_equal(kernels.softmax(x), expected))
"""
)
POOL = """
import multiprocessing, os
import numpy as np
from tinyllm import kernels
x = np.random.default_rng(0).standard_normal((4096, 40)).astype(np.float32)

def work(n):
    return kernels.softmax(x + n).tobytes()

if __name__ == "__main__":
    expected = [work(n) for n in range(4)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map_async(work, range(4)).get(60) == expected)
"""
FIRST_IN_THE_CHILD = """
import os, signal
import numpy as np
from tinyllm import kernels
x = np.random.default_rng(0).standard_normal((4096, 40)).astype(np.float32)
before = kernels.threads()
pid = os.fork()
if not pid:
    signal.alarm(60)
    with kernels.use("numpy"):
        expected = kernels.softmax(x)
    os._exit(0 if np.allclose(kernels.softmax(x), expected, atol=1e-6) and kernels.threads() == before else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), np.isfinite(kernels.softmax(x)).all())
"""
INTERRUPTS = (
    WORK
    + """
expected, caught, armed = [work() for work in WORK], 0, []
ended = threading.Event()

def raise_once(*_):  # a second one while the first is being dealt with would be Python's own story
    if armed:
        armed.clear()
        raise KeyboardInterrupt

def interrupt():
    while not ended.wait(0.002):
        os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, raise_once)
sender = threading.Thread(target=interrupt)
sender.start()
while caught < 20:
    try:
        armed.append(True)
        for work in WORK:
            work()
    except KeyboardInterrupt:
        caught += 1
armed.clear()
ended.set()
sender.join()
from tinyllm.kernels.threads import BUSY, GATE
print(all(np.array_equal(work(), e) for work, e in zip(WORK, expected)), GATE[BUSY])
"""
)
NESTED = """
import numba
import numpy as np
from numba import prange
from tinyllm.kernels.compiler import parallel

@parallel
def inside(x, y):
    for i in prange(x.size):
        y[i] = x[i] + 1

@parallel
def outside(x, y):
    for i in prange(x.shape[0]):
        inside(x[i], y[i])

x = np.arange(24.0).reshape(4, 6)
y = np.zeros_like(x)
outside(x, y)
print(np.array_equal(y, x + 1))
"""


def story(code, layer="omp", **env):
    """Run a program on a threading layer, two threads wide, and return what it printed."""
    fixed = {"TINYLLM_THREADS": "2", "TINYLLM_KERNELS": "numba", "NUMBA_THREADING_LAYER": layer}
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=240,
        env={**os.environ, **fixed, **env},
    )
    assert run.returncode == 0, (run.returncode, run.stderr)
    return run.stdout.strip()


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.mark.parametrize("layer", LAYERS)
def test_eight_python_threads_at_once(layer):
    assert story(THREADS, layer) == f"{layer} []"


@forks
@pytest.mark.parametrize("layer", LAYERS)
def test_forked_children_and_theirs_calculate_alone_and_the_parent_goes_on(layer):
    assert story(FORK, layer) == "0 0 True True"


@forks
@pytest.mark.parametrize("layer", LAYERS)
def test_a_fork_while_another_thread_shares_a_loop(layer):
    assert story(FORK_AT_WORK, layer) == "{0} True"


@forks
def test_a_pool_of_forked_workers():
    assert story(POOL) == "True"


@forks
@pytest.mark.parametrize("layer", LAYERS)
def test_a_child_that_loads_the_kernels_itself_has_all_threads(layer):
    assert story(FIRST_IN_THE_CHILD, layer) == "0 True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of other systems")
@pytest.mark.parametrize("layer", LAYERS)
def test_ctrl_c_in_the_middle_of_kernels(layer):
    assert story(INTERRUPTS, layer) == "True 0"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_parallel_kernel_inside_of_another(layer, tmp_path):
    (tmp_path / "nested.py").write_text(NESTED)
    code = f"import runpy; runpy.run_path({str(tmp_path / 'nested.py')!r})"
    assert story(code, layer) == "True"
