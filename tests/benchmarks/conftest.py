"""What the tests of the benchmarks share: their folder, and a way to run one on tiny settings."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a file of the benchmarks by its name."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:  # names like "attention" must not stay behind for others
        if getattr(sys.modules[name], "__file__", None) and Path(sys.modules[name].__file__).parent == FOLDER:
            del sys.modules[name]


def _run(name: str, *options: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a benchmark in a process of its own, with a folder put before everything that can be imported."""
    paths = [str(path)] * bool(path) + [str(ROOT), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p), "MPLBACKEND": "Agg"}
    command = [sys.executable, str(FOLDER / f"{name}.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=300)


@pytest.fixture
def script():
    """Run a benchmark and return the finished process."""
    return _run


@pytest.fixture(scope="session")
def tiny():
    """Run a benchmark on tiny settings and return what it writes; each is run once."""
    done: dict[tuple[str, ...], dict] = {}

    def measure(name: str, *options: str) -> dict:
        if (name, *options) not in done:
            finished = _run(name, "--tiny", "--rounds=1", "--json", *options)
            assert finished.returncode == 0, finished.stderr
            done[name, *options] = json.loads(finished.stdout)
        return done[name, *options]

    return measure
