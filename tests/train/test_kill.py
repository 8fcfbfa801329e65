"""A run that is killed without warning, again and again, loses only the steps since its last checkpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tinyllm
from tinyllm import kernels
from tinyllm.train import Run, checkpoint, metrics

PEAK = 1e11
TIMING = ("seconds", "tokens_per_second", "mfu")
PROGRAM = """
import sys
from tinyllm.train import Run
result = Run.open(sys.argv[1]).train(peak_flops=1e11)
print(result.stopped)
"""


def start(folder: Path) -> subprocess.Popen[str]:
    """Train in another process, on the kernels that these tests use."""
    environment = {
        **os.environ,
        "TINYLLM_KERNELS": kernels.backend(),
        "PYTHONPATH": str(Path(tinyllm.__file__).parents[1]),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)], env=environment, stdout=subprocess.PIPE, text=True
    )


def steps_written(path: Path) -> int:
    """The last step in the metrics, without reading lines that are still being written."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return json.loads(lines[-1])["step"] if lines else -1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
@pytest.mark.parametrize(("every", "steps"), [(1, 150), (7, 400)])
def test_killed_at_random_moments_and_resumed_it_ends_the_same(tmp_path, tiny, every, steps):
    config = tiny.but(steps=steps, eval_every=10, sample_every=40, checkpoint_every=every)
    straight = Run.create(tmp_path / "straight", config)
    straight.train(peak_flops=PEAK)
    run = Run.create(tmp_path / "killed", config)
    rng = np.random.default_rng(every)
    for target in sorted(rng.choice(np.arange(2, 100), size=4, replace=False)):
        process = start(run.folder)
        while process.poll() is None and steps_written(run.metrics_path) < target:
            time.sleep(0.0005)
        time.sleep(rng.uniform(0, 0.01))  # somewhere inside of a step, an evaluation or a save
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the run was over, or broke, before it was killed"
        reached = metrics.read(run.metrics_path)[-1]["step"]
        saved = checkpoint.load(run.checkpoint_path).about["step"]
        assert reached >= target and reached - saved <= every
    process = start(run.folder)
    assert process.communicate()[0].strip() == "steps"
    assert contents(run) == contents(straight)
    assert not list(run.folder.glob(".*.part"))


def contents(run: Run) -> tuple[object, ...]:
    """Everything a run leaves behind, but for how long it took."""
    saved = [checkpoint.load(path) for path in (run.checkpoint_path, run.best_path)]
    arrays = [{name: array.tobytes() for name, array in one.arrays.items()} for one in saved]
    about = [{k: v for k, v in one.about.items() if k not in TIMING} for one in saved]
    rows = [{k: v for k, v in row.items() if k not in TIMING} for row in metrics.read(run.metrics_path)]
    return arrays, about, rows
