"""The learner's folder: made once, never overwritten, and every trouble in a file is one sentence."""

from __future__ import annotations

import ast
import os
import py_compile
import sys
import traceback
import types

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.errors import LearnError
from tinyllm.learn import exercises
from tinyllm.learn.slots.slot import Slot
from tinyllm.learn.slots.stub import function_stub, imports
from tinyllm.learn.slots.swap import swap
from tinyllm.learn.work.workspace import Workspace
from tinyllm.nn import attention

from ..conftest import ALL


@pytest.fixture
def workspace(tmp_path, course):
    return Workspace(tmp_path / "my")


def written(workspace, course, text):
    """The file of lesson 10 with this text and nothing else."""
    workspace.folder.mkdir(exist_ok=True)
    workspace.file(course[2]).write_bytes(text if isinstance(text, bytes) else text.encode())
    return workspace.file(course[2])


# where


def test_where_it_is(tmp_path, monkeypatch):
    monkeypatch.delenv("TINYLLM_MY", raising=False)
    monkeypatch.chdir(tmp_path)
    assert Workspace.find().folder == tmp_path / "my"
    (tmp_path / "my").mkdir()
    monkeypatch.chdir(tmp_path / "my")
    assert Workspace.find().folder == tmp_path / "my"
    assert Workspace.find(tmp_path / "other").folder == tmp_path / "other" / "my"
    monkeypatch.setenv("TINYLLM_MY", str(tmp_path / "elsewhere"))
    assert Workspace.find().folder == tmp_path / "elsewhere"


# start


def test_start_makes_the_file_once(workspace, course):
    path = workspace.start(course[2])
    assert path == workspace.folder / "l10_attention.py"
    assert path.read_text().count("raise NotImplementedError") == 5
    assert "climb" in (workspace.folder / "TUTOR.md").read_text().lower()
    assert workspace.news == ["my/l10_attention.py is new: 5 functions to write"]
    for name in ("l10_attention.py", "TUTOR.md", "__init__.py"):
        (workspace.folder / name).write_text("def causal_mask(): return 'mine'\n")
    workspace.start(course[2])
    assert path.read_text().startswith("def causal_mask(): return 'mine'\n")
    assert (workspace.folder / "TUTOR.md").read_text() == "def causal_mask(): return 'mine'\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_start_adds_what_is_missing_at_the_end(workspace, course, end):
    text = f"import numpy as np{end}# my notes: \u00e9{end}{end}def causal_mask(T, S):{end}    return 1{end}"
    path = written(workspace, course, text)
    workspace.start(course[2])
    content = path.read_bytes()
    assert content.startswith(text.rstrip().encode())
    assert content.count(b"\r\n") == (content.count(b"\n") if end == "\r\n" else 0)
    assert content.count(b"raise NotImplementedError") == 4 and content.count(b"import numpy as np") == 1
    assert workspace.news == ["my/l10_attention.py was there; added the stubs of 10.2, 10.3, 10.4, 10.5 at its end"]
    assert workspace.load(ALL["10.1"])(0, 0) == 1
    workspace.start(course[2])
    assert path.read_bytes() == content


def test_start_does_not_touch_what_it_cannot_read(workspace, course):
    path = written(workspace, course, "def attend(:\n")
    with pytest.raises(LearnError, match=r"my/l10_attention.py:1: invalid syntax: def attend\(:"):
        workspace.start(course[2])
    assert path.read_text() == "def attend(:\n"


@pytest.mark.skipif(os.name != "posix", reason="where permissions are others")
def test_a_folder_that_cannot_be_made_is_named(tmp_path, course):
    (tmp_path / "file").write_text("")
    with pytest.raises(LearnError, match=r"cannot make .*file/my: not a directory. Try: another folder"):
        Workspace(tmp_path / "file" / "my").start(course[2])


def test_a_file_behind_a_link_stays_behind_it(workspace, course, tmp_path):
    target = tmp_path / "notes.py"
    target.write_text("x = 1\n")
    workspace.folder.mkdir()
    try:
        workspace.file(course[2]).symlink_to(target)
    except OSError:
        pytest.skip("no links here")
    workspace.start(course[2])
    assert workspace.file(course[2]).is_symlink() and "def attend(" in target.read_text()


# load


def test_load_is_fresh_each_time(workspace, course):
    """Also within one second, and with a file of the same size: what a cached compilation would miss."""
    path = written(workspace, course, "def attend(): return 1\n")
    status = path.stat()
    assert workspace.load(ALL["10.2"])() == 1
    path.write_text("def attend(): return 2\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert workspace.load(ALL["10.2"])() == 2
    assert not (workspace.folder / "__pycache__").exists()
    assert not [name for name in sys.modules if name.split(".")[0] == "my"]


def test_a_compilation_that_python_left_is_not_taken(workspace, course):
    """It knows its source by the second and the size."""
    path = written(workspace, course, "def attend(): return 1\n")
    status = path.stat()
    py_compile.compile(str(path))
    path.write_text("def attend(): return 2\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert workspace.load(ALL["10.2"])() == 2


def test_modules_of_that_name_that_are_loaded_stay(workspace, course, monkeypatch):
    theirs = types.ModuleType("my")
    monkeypatch.setitem(sys.modules, "my", theirs)
    written(workspace, course, "import my\ndef attend(): return my\n")
    assert workspace.load(ALL["10.2"])() is not theirs
    assert sys.modules["my"] is theirs


def test_files_of_the_folder_import_each_other_afresh(workspace, course):
    written(workspace, course, "from .l04_next_byte import two\nfrom my.l04_next_byte import two as deux\n"
                               "def attend(): return two() + deux()\n")  # fmt: skip
    for n in (1, 2):
        (workspace.folder / "l04_next_byte.py").write_text(f"def two(): return {n}\n")
        assert workspace.load(ALL["10.2"])() == 2 * n


TROUBLES = {
    "syntax": ("x = 1\ndef attend(q:\n    pass\n", r"my/l10_attention.py:2: .+: def attend\(q:"),
    "indent": ("def attend():\nreturn 1\n", r"my/l10_attention.py:2: expected an indented block .*: return 1"),
    "missing": ("def atend(): pass\n", r"has no function attend. Try: is it atend\? The function is to be called"),
    "none": ("", r"my/l10_attention.py has no function attend. Try: tinyllm learn start 10"),
    "no function": ("attend = 3\n", r"attend is of type int, not a function"),
    "class": ("class attend: pass\n", r"attend is a class, not a function"),
    "import": ("import os\nimport no_such_thing\n", r":2: the file cannot be imported: ModuleNotFoundError: .*no_such"),
    "exit": ("import sys\n\nsys.exit(0)\n", r"my/l10_attention.py:3: the file ends the program while it is imported"),
    "quit": ("raise SystemExit\n", r":1: the file ends the program"),
    "error": ("def f():\n    return 1 / 0\n\nf()\n", r":2: the file cannot be imported: ZeroDivisionError: division"),
    "wordless": ("class E(BaseException): pass\nraise E\n", r":2: the file cannot be imported: E$"),
    "endless": ("def f(): f()\nf()\n", r":1: the file cannot be imported: RecursionError"),
    "encoding": ("# caf\xe9\nx = 1\n".encode("latin-1"), r":1: the byte 0xe9 in it is not UTF-8. Try: save .* UTF-8"),
    "utf-16": ("x = 1".encode("utf-16"), r":1: the byte 0x.. in it is not UTF-8"),
    "unknown": (b"# coding: klingon\n", r":1: unknown encoding: klingon. Try: save the file as UTF-8"),
    "zero byte": (b"x = 1\x00\n", r"my/l10_attention.py:? ?.*null byte"),
    "deep": ("(" * 5000 + ")" * 5000, r"my/l10_attention.py"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_every_trouble_is_one_sentence(name, workspace, course):
    text, message = TROUBLES[name]
    written(workspace, course, text)
    with pytest.raises(LearnError, match=message) as caught:
        workspace.load(ALL["10.2"])
    assert "\n" not in str(caught.value)
    assert workspace.state(ALL["10.2"]) in ("missing", "broken")
    assert not [module for module in sys.modules if module.split(".")[0] == "my"]


def test_a_file_that_is_gone(workspace, course):
    with pytest.raises(LearnError, match=r"my/l10_attention.py is not there. Try: tinyllm learn start 10$"):
        workspace.load(ALL["10.2"])
    from tinyllm.learn.work.history import keep

    written(workspace, course, "def attend(): pass\n")
    keep(workspace, course[2])
    workspace.file(course[2]).unlink()
    with pytest.raises(LearnError, match=r"is not there. Try: tinyllm learn undo 10 brings back"):
        workspace.source(ALL["10.2"])
    workspace.file(course[2]).mkdir()
    with pytest.raises(LearnError, match=r"my/l10_attention.py cannot be read: "):
        workspace.load(ALL["10.2"])


def test_ctrl_c_is_no_trouble_of_the_file(workspace, course):
    written(workspace, course, "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        workspace.load(ALL["10.2"])


def test_a_coding_line_and_a_mark_of_byte_order_are_read(workspace, course):
    written(workspace, course, "# coding: latin-1\ndef attend(): return '\xe9'\n".encode("latin-1"))
    assert workspace.load(ALL["10.2"])() == "\xe9"
    written(workspace, course, b"\xef\xbb\xbfdef attend(): return 1\n")
    assert workspace.load(ALL["10.2"])() == 1


def test_a_traceback_shows_the_learners_line(workspace, course):
    path = written(workspace, course, "def attend():\n    return 1 / 0  # old\n")
    for text in ("# old", "# new and longer"):
        path.write_text(f"def attend():\n    return 1 / 0  {text}\n")
        try:
            workspace.load(ALL["10.2"])()
        except ZeroDivisionError:
            assert f"return 1 / 0  {text}\n" in traceback.format_exc()


def test_an_error_in_one_exercise_does_not_leak_into_the_next(workspace, course):
    """merge_heads of one's own may use split_heads, which is a stub yet: then it is the library's."""
    text = f"import numpy as np\n{function_stub(ALL['10.4'])}\ndef merge_heads(x):\n    return split_heads(x, 2)\n"
    written(workspace, course, text)
    mine = workspace.load(ALL["10.5"])
    x = np.arange(8).reshape(1, 2, 4)
    np.testing.assert_array_equal(mine(x), attention.split_heads(x, 2))
    with swap({ALL["10.5"]: mine, ALL["10.4"]: lambda x, H: "mine"}) as receipt:
        assert attention.merge_heads(x) == "mine"
    assert receipt.calls == {"10.4": 1, "10.5": 1}
    np.testing.assert_array_equal(mine(x), attention.split_heads(x, 2))
    with pytest.raises(NotImplementedError, match=r"10\.4"):
        workspace.load(ALL["10.4"])(x, 2)


@pytest.mark.parametrize("lesson", [0, 1, 2])
def test_all_the_librarys_solutions_load(workspace, course, lesson):
    """A file of nothing but answers, as a learner would have it: each stub replaced by the solution."""
    path = workspace.start(course[lesson])
    text = path.read_text()
    for exercise in course[lesson].exercises:
        text = text.replace(function_stub(exercise), Slot.of(exercise.slot).solution())
    path.write_text(text)
    for exercise in course[lesson].exercises:
        assert workspace.state(exercise) == "written"
        assert workspace.load(exercise).__name__ == Slot.of(exercise.slot).name
        assert "raise NotImplementedError" not in workspace.source(exercise)


def test_states(workspace, course):
    assert workspace.state(ALL["10.2"]) == "missing"
    path = workspace.start(course[2])
    assert workspace.state(ALL["10.2"]) == "stub"
    path.write_text(path.read_text().replace('raise NotImplementedError("10.2")', "return None"))
    assert workspace.state(ALL["10.2"]) == "written"
    assert workspace.state(ALL["10.3"]) == "stub"


# the course's own lessons


def test_the_lessons_import_every_name_once():
    """Two functions of one name would stand in each other's way in the learner's file."""
    for lesson in exercises.lessons():
        names = [
            alias.asname or alias.name
            for node in ast.parse("\n".join(imports(lesson.exercises))).body
            for alias in node.names
        ]
        written_here = [Slot.of(exercise.slot).name for exercise in lesson.exercises]
        assert len(set(names + written_here)) == len(names + written_here), lesson.number


@pytest.mark.parametrize("lesson", exercises.lessons(), ids=lambda lesson: lesson.number)
def test_a_file_of_the_librarys_answers_runs_the_stack_to_the_bit(lesson, tmp_path):
    """What a learner has who wrote just what the library has: in their file, in the library's place."""
    from ..slots.test_swap import on_the_references, same_bits, work

    workspace = Workspace(tmp_path / "my")
    path = workspace.start(lesson)
    text = path.read_text(encoding="utf-8")
    for exercise in lesson.exercises:
        text = text.replace(function_stub(exercise), Slot.of(exercise.slot).solution())
    path.write_text(text, encoding="utf-8")
    with kernels.use("numpy"):  # in the file a kernel calls another through its door
        with on_the_references(lesson.exercises):
            expected = work()
        with swap({exercise: workspace.load(exercise) for exercise in lesson.exercises}):
            assert same_bits(work(), expected)
