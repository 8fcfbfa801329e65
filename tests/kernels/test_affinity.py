"""The pool's threads keep off the core that launches; nobody else is moved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="there is one core, or a system that does not tell which",
)

CODE = """
import json, os, threading
allowed = os.sched_getaffinity(0)
before = {int(t) for t in os.listdir("/proc/self/task")}
from tinyllm import kernels
import numpy as np
x = np.ones(1 << 20, np.float32)
kernels.gelu(x)
me = threading.get_native_id()

def others():
    return [sorted(os.sched_getaffinity(int(t))) for t in os.listdir("/proc/self/task") if int(t) != me]

seen = []
for core in sorted(allowed)[:2] * 2:
    os.sched_setaffinity(me, {core})  # as if the system had moved us here
    kernels.gelu(x)
    seen.append([core, others()])
os.sched_setaffinity(me, allowed)
child = os.fork()
if not child:
    kernels.gelu(x)
    os._exit(0 if os.sched_getaffinity(0) == allowed else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps({"allowed": sorted(allowed), "seen": seen, "child": status, "me": sorted(os.sched_getaffinity(me))}))
"""


def run(**settings):
    env = {name: value for name, value in os.environ.items() if name not in ("OMP_PROC_BIND", "OMP_PLACES")}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=Path(__file__).parents[2],
        env={**env, "TINYLLM_THREADS": "2", "NUMBA_THREADING_LAYER": "omp", **settings},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_one_thread_of_the_pool_keeps_off_the_core_that_launches():
    told = run()
    for core, masks in told["seen"]:
        kept_off = [core_of for core_of in told["allowed"] if core_of != core]
        assert masks.count(kept_off) == 1
        assert all(mask in (kept_off, told["allowed"]) for mask in masks)  # BLAS's threads stay where they like


def test_who_launches_and_who_is_forked_may_run_anywhere():
    told = run()
    assert told["me"] == told["allowed"] and told["child"] == 0


@pytest.mark.parametrize("setting", [{"OMP_PROC_BIND": "false"}, {"TINYLLM_THREADS": "1"}])
def test_what_the_user_has_said_holds(setting):
    told = run(**setting)
    assert all(mask == told["allowed"] for _, masks in told["seen"] for mask in masks)
