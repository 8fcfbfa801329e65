"""``pytest --mine``: solutions pass what the library passes; stubs fail with E-STUB where they are called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinyllm.learn.exercises import lesson
from tinyllm.learn.work.workspace import Workspace

ROOT = Path(__file__).parents[2]
SUITE = "tests/autograd/test_unbroadcast.py"
RIGHT = '''import numpy as np


def unbroadcast(grad, shape):
    """Sum over the axes that broadcasting has made."""
    if grad.shape == tuple(shape):
        return grad
    from tinyllm.learn.slots.slot import Slot
    return Slot.of("tinyllm.autograd.unbroadcast:unbroadcast").function(grad, shape)
'''


def suite(my, *arguments, which="03"):
    """Run a part of the library's suite on a learner's folder."""
    environ = {**os.environ, "TINYLLM_MY": str(my), "TINYLLM_MINE": which, "TINYLLM_KERNELS": "numpy"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def my(tmp_path):
    Workspace(tmp_path / "my").start(lesson("03"))
    return tmp_path / "my"


def test_stubs_fail_with_their_code_and_the_rest_passes(my):
    code, out = suite(my, SUITE, "--mine")
    assert code == 1
    assert "E-STUB 03.1 unbroadcast is still to be written" in out
    assert "error" not in out.splitlines()[-1]  # the files could be read: no error while collecting
    code, out = suite(my, "tests/nn/test_schedules.py", "--mine")
    assert code == 0, out


def test_a_right_function_passes_and_is_counted(my):
    path = my / "l03_tensors.py"
    path.write_text(RIGHT)
    code, out = suite(my, SUITE, "--mine", which="03.1")
    assert code == 0, out
    row = next(line for line in out.splitlines() if line.startswith("unbroadcast.unbroadcast"))
    assert "my/l03_tensors.py:4" in row and int(row.split()[-1].replace(",", "")) > 0


def test_a_wrong_function_fails(my):
    (my / "l03_tensors.py").write_text("def unbroadcast(grad, shape):\n    return grad\n")
    assert suite(my, SUITE, "--mine", which="03.1")[0] == 1


def test_a_file_that_is_not_python_fails_its_slots_only(my):
    (my / "l03_tensors.py").write_text("def unbroadcast(:\n")
    code, out = suite(my, SUITE, "--mine")
    assert code == 1 and "my/l03_tensors.py:1: invalid syntax" in out
    assert suite(my, "tests/nn/test_schedules.py", "--mine")[0] == 0


def test_nothing_of_theirs_is_said(tmp_path):
    code, out = suite(tmp_path / "none", SUITE, "--mine")
    assert code == 4 and "there is nothing of yours" in out and "Traceback" not in out


def test_without_the_option_nothing_is_swapped(my):
    code, out = suite(my, SUITE)
    assert code == 0 and "your functions" not in out


def test_tests_of_the_course_are_left_out(my):
    code, out = suite(my, "tests/learn/loop/test_screen.py", "--mine")
    assert code == 5 and "deselected" in out
