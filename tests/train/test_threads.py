"""One thread or two: the numbers are the same.

To the last bit where OpenBLAS, the BLAS in NumPy's wheels, lets them be. It cuts the inner axis of a long matrix
product into pieces, and unless that axis is a multiple of 32 it cuts elsewhere when it shares the product among
threads (seen in 0.3.31 from 386 on in float64 and 449 on in float32). The inner axis of a weight's gradient is B T, so
in a run whose B T is no multiple of 32 the last bits may differ.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinyllm
from tinyllm.train import Run, metrics

PROGRAM = """
import hashlib, json, sys
from tinyllm.train import Run
told = {}
for folder in sys.argv[1:]:
    run = Run.open(folder)
    run.train(peak_flops=1e11)
    total = hashlib.sha256()
    for array in run.model.state_dict().values():
        total.update(array.tobytes())
    told[folder.rpartition("/")[2]] = total.hexdigest()
print(json.dumps(told))
"""


@pytest.fixture
def configs(tiny):
    """Wide enough that matrix products and kernels are shared out among the threads."""
    base = {"batch_size": 12, "block_size": 64, "steps": 4, "lr": 1e-3, "sample_every": 0}
    size = {"n_layer": 2, "n_head": 4, "n_embd": 128, "dropout": 0.1}
    return {
        "gpt2": tiny.but(model={"preset": "gpt2", **size}, **base),
        "modern": tiny.but(model={"preset": "modern", **size}, **base),
        "odd": tiny.but(model={"preset": "gpt2", **size}, **{**base, "batch_size": 11, "block_size": 67}),
    }


def trained(folder: Path, configs, threads: int) -> tuple[dict[str, str], dict[str, list[float]]]:
    """Train each config in one process; return the fingerprint of the parameters and the losses of each."""
    runs = {name: Run.create(folder / name, config) for name, config in configs.items()}
    count = str(threads)
    environment = {
        **os.environ,
        "TINYLLM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "OMP_NUM_THREADS": count,
        "PYTHONPATH": str(Path(tinyllm.__file__).parents[1]),
    }
    command = [sys.executable, "-c", PROGRAM, *(str(run.folder) for run in runs.values())]
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    losses = {
        name: [row["loss"] for row in metrics.read(run.metrics_path) if row["kind"] == "step"]
        for name, run in runs.items()
    }
    return json.loads(output), losses


def test_one_thread_and_two_give_the_same_losses_and_parameters(tmp_path, configs):
    prints, losses = zip(*(trained(tmp_path / str(threads), configs, threads) for threads in (1, 2)), strict=True)
    assert all(len(one) == 4 for one in losses[0].values())
    for name in ("gpt2", "modern"):
        assert losses[0][name] == losses[1][name] and prints[0][name] == prints[1][name], name
    assert losses[0]["odd"] == pytest.approx(losses[1]["odd"], rel=1e-5)
