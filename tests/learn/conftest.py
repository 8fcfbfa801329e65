"""A learner's folder with one file, and a judge that needs no course: it calls the function once."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tinyllm.learn.worker import Worker

EXAMINER = """
import importlib.util, time
from tinyllm.learn.verdict import Line, Verdict

def examine(exercise, folder):
    path = folder / "l99_fake.py"
    spec = importlib.util.spec_from_file_location("l99_fake", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    got = module.answer()
    line = Line("ok", "value", str(got)) if got == 42 else Line("FAIL", "value", str(got), ["It is not 42."])
    state = "passed" if got == 42 else "failed"
    return Verdict(exercise, state, [line], "my/l99_fake.py:1", 0.01), path.read_text(encoding="utf-8")
"""


class Desk:
    """A folder of a learner, what is written there, and a worker on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "my"
        self.folder.mkdir()
        self.file = self.folder / "l99_fake.py"
        (folder / "fake_examiner.py").write_text(EXAMINER, encoding="utf-8")
        self.worker = Worker(self.folder, "fake_examiner:examine")

    def write(self, body: str, head: str = "") -> None:
        """Write a function with this body."""
        body = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        self.file.write_text(f"{head}\ndef answer():\n{body}\n", encoding="utf-8")

    def check(self, body: str, head: str = "", timeout: float = 10.0):
        """Write a function and check it."""
        self.write(body, head)
        return self.worker.check("99.1", timeout)


@pytest.fixture
def desk(tmp_path):
    """A learner's desk; its processes end with the test."""
    made = Desk(tmp_path)
    yield made
    made.worker.close()
