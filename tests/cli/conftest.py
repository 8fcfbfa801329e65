"""One tiny trained run for all tests of the command line, and a shell to call it in."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tinyllm.cli.main import main

ROOT = Path(__file__).parents[2]
SMOKE = ["train", "--preset", "smoke", "--steps", "4", "--sample-every", "2", "--eval-every", "2"]


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    """No test looks at the settings of whoever runs it, or leaves files in the repository."""
    for name in ("NO_COLOR", "TINYLLM_PLAIN", "COLUMNS", "TINYLLM_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TINYLLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tinyllm(capsys):
    """Call the command line in this process."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return call


def _start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-m", "tinyllm.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, env=environ, **{**streams, **options})


@pytest.fixture
def start():
    """Start the command line in a process of its own."""
    return _start


@pytest.fixture
def shell():
    """Run the command line in a process of its own to its end, on NumPy, which needs nothing to be compiled."""

    def call(*arguments: object, env: dict[str, str] | None = None, **options: object) -> Done:
        process = _start(*arguments, env={"TINYLLM_KERNELS": "numpy", **(env or {})}, **options)
        out, err = process.communicate(timeout=120)
        return Done(process.returncode, out, err)

    return call


@pytest.fixture
def smoke() -> list[str]:
    """The smallest training there is."""
    return list(SMOKE)


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A run folder with a model that has seen four steps."""
    folder = tmp_path_factory.mktemp("runs") / "smoke"
    assert main([*SMOKE, "--out", str(folder)]) == 0
    return folder
