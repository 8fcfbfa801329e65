"""``@solve`` in a notebook: the function goes to its place in my/ with what it needs; nothing else there changes."""

from __future__ import annotations

import linecache
from types import FunctionType, ModuleType

import numpy as np
import pytest

from tinyllm.errors import LearnError
from tinyllm.learn import hint, notebook, solve
from tinyllm.learn.exercises import exercise, lesson
from tinyllm.learn.progress import Progress
from tinyllm.learn.workspace import Workspace

RIGHT = """
@solve("04.2")
def softmax(x, axis=-1):
    e = np.exp(shifted(x, axis))
    return SCALE * e / e.sum(axis, keepdims=True)
"""
HELP = """
SCALE = 1.0

def shifted(x, axis):
    return x - x.max(axis, keepdims=True)
"""


@pytest.fixture
def cell(tmp_path, monkeypatch):
    """Run cells as a notebook does: in one namespace, each with a text that can be found again."""
    monkeypatch.setenv("TINYLLM_MY", str(tmp_path / "my"))
    module = ModuleType("__main__")
    vars(module).update(__builtins__=__builtins__, np=np, solve=solve, hint=hint)
    count = 0

    def run(text):
        nonlocal count
        count += 1
        name = f"<cell {count}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        FunctionType(compile(text, name, "exec"), vars(module))()
        return vars(module)

    yield run
    notebook._worker(tmp_path / "my").close()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "my" / "l04_next_byte.py"


def test_a_solution_is_saved_with_what_it_needs_checked_and_remembered(cell, file, capsys):
    cell(HELP)
    names = cell(RIGHT)
    text = file.read_text()
    assert "@solve" not in text
    for line in ("SCALE = 1.0", "def shifted(x, axis):", "def softmax(x, axis=-1):"):
        assert text.count(line) == 1
    assert 'raise NotImplementedError("04.1")' in text  # the other stubs are where they were
    assert 'NotImplementedError("04.2")' not in text
    assert "04.2 has passed." in capsys.readouterr().out
    assert Progress.of(Workspace(file.parent)).passed(exercise("04.2"))
    assert names["softmax"](np.zeros(2)).tolist() == [0.5, 0.5]


def test_solving_again_replaces_and_keeps_the_version_before(cell, file, capsys):
    cell(HELP)
    cell(RIGHT)
    first = file.read_text()
    cell(HELP.replace("1.0", "2.0"))
    cell(RIGHT)
    assert "FAIL" in capsys.readouterr().out
    assert file.read_text() == first.replace("SCALE = 1.0", "SCALE = 2.0")
    kept = [path.read_text() for path in (file.parent / ".history" / "l04_next_byte").glob("*.py")]
    assert first in kept


def test_what_the_learner_wrote_elsewhere_stays(cell, file):
    workspace = Workspace(file.parent)
    workspace.start(lesson("04"))
    file.write_text(file.read_text() + "\n\n# my own notes\nNOTES = [1, 2]\n")
    cell(HELP)
    cell(RIGHT)
    assert file.read_text().endswith("# my own notes\nNOTES = [1, 2]\n")


def test_another_name_and_an_exercise_that_is_not_there(cell):
    with pytest.raises(LearnError, match="asks for a function softmax; this one is called smax"):
        cell('@solve("04.2")\ndef smax(x):\n    return x\n')
    with pytest.raises(LearnError, match=r"no exercise '04\.9'"):
        cell('@solve("04.9")\ndef softmax(x):\n    return x\n')


def test_a_text_that_is_not_to_be_found(cell):
    names = cell("\n")
    code = compile("def softmax(x):\n    return x\n", "<typed>", "exec").co_consts[0]
    with pytest.raises(LearnError, match="is not to be found"):
        solve("04.2")(FunctionType(code, names))


def test_a_file_that_is_not_python_is_left_alone(cell, file):
    file.parent.mkdir()
    file.write_text("def broken(:\n")
    with pytest.raises(LearnError, match=r"l04_next_byte.py:1: invalid syntax"):
        cell(RIGHT.replace("shifted(x, axis)", "x").replace("SCALE * ", ""))
    assert file.read_text() == "def broken(:\n"


def test_an_endless_loop_leaves_the_notebook_alive(cell, file, capsys, monkeypatch):
    from tinyllm.learn import worker

    monkeypatch.setattr(worker, "SECONDS", 0.5)
    cell('@solve("04.2")\ndef softmax(x, axis=-1):\n    while True:\n        pass\n')
    assert "still running after 0.5 s" in " ".join(capsys.readouterr().out.split())


def test_a_helper_in_the_place_of_an_import(cell, file):
    Workspace(file.parent).start(lesson("04"))
    file.write_text("from numpy import exp as shifted\n" + file.read_text())
    cell(HELP)
    cell(RIGHT)
    text = file.read_text()
    assert "import exp as shifted" not in text
    assert "\n\ndef shifted(x, axis):\n    return x - x.max(axis, keepdims=True)\n\n\n" in text


def test_hints(cell, capsys):
    hint("04.2")
    hint("04.2")
    hint("04.2", 1)
    out = capsys.readouterr().out
    assert out.index("hint 1 of 3") < out.index("hint 2 of 3") < out.rindex("hint 1 of 3")
    with pytest.raises(LearnError, match="no hint 4"):
        hint("04.2", 4)


def test_imports_of_the_notebook_come_along(cell, file):
    cell("import math\nfrom tinyllm.errors import ShapeError\n")
    body = "    if not x.ndim:\n        raise ShapeError(str(math.pi))\n    return x\n"
    cell('@solve("04.2")\ndef softmax(x, axis=-1):\n' + body)
    text = file.read_text()
    assert "import math\n" in text and "from tinyllm.errors import ShapeError\n" in text
