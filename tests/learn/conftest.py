"""What the tests of the course share: a desk with a judge of its own, and an exercise for every slot."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tinyllm.learn.exercise import Exercise, Lesson
from tinyllm.learn.loop.worker import Worker

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


SLOTS = {
    "00.1": "train.bits:bits_per_byte",
    "01.1": "autograd.numeric:central_difference",
    "01.2": "autograd.numeric:complex_step",
    "01.3": "autograd.numeric:numerical_grad",
    "03.1": "autograd.unbroadcast:unbroadcast",
    "03.2": "autograd.ops.reduce:Sum.backward",
    "03.3": "autograd.ops.reduce:Max.backward",
    "03.4": "autograd.ops.linalg:Matmul.backward",
    "03.5": "autograd.ops.index:Index.backward",
    "04.1": "kernels.softmax:logsumexp",
    "04.2": "kernels.softmax:softmax",
    "04.3": "autograd.ops.fused:Softmax.backward",
    "04.4": "kernels.cross_entropy:cross_entropy",
    "04.5": "kernels.cross_entropy:cross_entropy_backward",
    "10.1": "kernels.attention:causal_mask",
    "10.2": "kernels.attention:attend",
    "10.3": "kernels.attention:attend_backward",
    "10.4": "nn.attention:split_heads",
    "10.5": "nn.attention:merge_heads",
}
THROUGH = {"04": ("cross_entropy_chunk",), "10": ("attention", "attention_backward")}


class Version:
    """A check that is never run, of some version."""

    version = 1


def an_exercise(number: str, slot: str = "", through: tuple[str, ...] | None = None) -> Exercise:
    through = THROUGH.get(number[:2], ()) if through is None else through
    return Exercise(
        number, slot or f"tinyllm.{SLOTS[number]}", 5, [Version()], [], ("why?", "so", "do ___"), "", (), through
    )


ALL = {number: an_exercise(number) for number in SLOTS}


@pytest.fixture
def exercises():
    return ALL


@pytest.fixture
def course(monkeypatch):
    """Three lessons stand in for the course's own records."""
    from tinyllm.learn import exercises

    lessons = tuple(
        Lesson(number, name, name.title(), "Why?", 10, "", [e for e in ALL.values() if e.id.startswith(number)])
        for number, name in (("03", "tensors"), ("04", "next_byte"), ("10", "attention"))
    )
    monkeypatch.setattr(exercises, "lessons", lambda: lessons)
    return lessons
