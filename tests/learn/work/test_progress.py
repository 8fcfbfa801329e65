"""Progress: derived from the code and the checks; the file that caches it may be lost at any time."""

from __future__ import annotations

import dataclasses
import errno
import os

import pytest

from tinyllm.errors import LearnError
from tinyllm.learn.verdict import Verdict
from tinyllm.learn.work.progress import Progress, check_version
from tinyllm.learn.work.workspace import Workspace

from ..conftest import ALL, Version


@pytest.fixture
def workspace(tmp_path, course):
    made = Workspace(tmp_path / "my")
    for lesson in course:
        made.start(lesson)
    return made


def write(workspace, course, text):
    workspace.file(course[2]).write_text(text)


def passed(workspace, number, state="passed"):
    Progress.of(workspace).record(Verdict(number, state), workspace.source(ALL[number]))


FILE = """\
EPS = 1

def double(x):
    return 2 * x

def causal_mask(T, S):
    return double(T) + EPS

def attend(): pass
"""


def test_passed_is_of_this_code_with_what_it_needs(workspace, course):
    progress = Progress.of(workspace)
    write(workspace, course, FILE)
    assert not progress.passed(ALL["10.1"])
    passed(workspace, "10.1")
    assert progress.passed(ALL["10.1"]) and workspace.state(ALL["10.1"]) == "passed"
    for old, new, still in [
        ("return double(T) + EPS", "return double(T) - EPS", False),
        ("return 2 * x", "return 3 * x", False),
        ("EPS = 1", "EPS = 2", False),
        ("EPS = 1", "# so\nEPS = 1", True),
        ("return double(T) + EPS", "return (double(T) + EPS)  # so", True),
        ("def attend(): pass", "def attend(): return 1", True),
    ]:
        write(workspace, course, FILE.replace(old, new))
        assert progress.passed(ALL["10.1"]) == still, new
    write(workspace, course, FILE + "def f(:")
    assert not progress.passed(ALL["10.1"])
    write(workspace, course, FILE)
    assert progress.passed(ALL["10.1"])


def test_passed_is_of_these_checks(workspace, course):
    class Later(Version):
        version = 2

    write(workspace, course, FILE)
    passed(workspace, "10.1")
    changed = dataclasses.replace(ALL["10.1"], checks=[Later()])
    assert check_version(changed) != check_version(ALL["10.1"])
    assert not Progress.of(workspace).passed(changed)


def test_what_counts_is_the_code_that_was_checked(workspace, course):
    """Saved again while the check ran: the verdict is on what was there before."""
    write(workspace, course, FILE)
    source = workspace.source(ALL["10.1"])
    write(workspace, course, FILE.replace("EPS = 1", "EPS = 2"))
    Progress.of(workspace).record(Verdict("10.1", "passed"), source)
    assert not Progress.of(workspace).passed(ALL["10.1"])


def test_a_failure_takes_back_only_what_failed(workspace, course):
    write(workspace, course, FILE)
    passed(workspace, "10.1")
    write(workspace, course, FILE.replace("EPS = 1", "EPS = 2"))
    passed(workspace, "10.1", "failed")
    write(workspace, course, FILE)
    assert Progress.of(workspace).passed(ALL["10.1"])
    passed(workspace, "10.1", "failed")
    assert not Progress.of(workspace).passed(ALL["10.1"])


@pytest.mark.parametrize(
    "spoiled", [b"", b"{", b"[]", b"3", b'{"passed": 3, "hints": [], "seen": null}', b"\xff\x00", b"[" * 9999]
)
def test_a_spoiled_file_loses_nothing_but_itself(workspace, course, spoiled):
    write(workspace, course, FILE)
    progress = Progress.of(workspace)
    passed(workspace, "10.1")
    progress.file.write_bytes(spoiled)
    assert not progress.passed(ALL["10.1"]) and progress.hints("10.1") == 0 and not progress.seen("10.1")
    assert progress.next().id == "03.1"
    passed(workspace, "10.1")
    progress.hinted("10.1", 2)
    assert progress.passed(ALL["10.1"]) and progress.hints("10.1") == 2
    progress.file.unlink()
    assert workspace.state(ALL["10.1"]) == "written"


def test_hints_count_the_furthest(workspace):
    progress = Progress.of(workspace)
    for level in (1, 3, 2):
        progress.hinted("10.3", level)
    assert progress.hints("10.3") == 3 and progress.hints("10.2") == 0


def test_two_terminals_see_each_other(workspace, course):
    write(workspace, course, FILE)
    one, other = Progress.of(workspace), Progress.of(workspace)
    one.hinted("10.1", 1)
    other.hinted("10.2", 2)
    passed(workspace, "10.1")
    assert (one.hints("10.1"), one.hints("10.2"), other.passed(ALL["10.1"])) == (1, 2, True)


def test_next_is_the_first_that_has_not_passed(workspace, course):
    progress = Progress.of(workspace)
    assert progress.next().id == "03.1"
    passed(workspace, "03.1")
    assert progress.next().id == "03.2"
    for lesson in course:
        for exercise in lesson.exercises:
            passed(workspace, exercise.id)
    assert progress.next() is None


def test_a_solution_that_was_looked_at_comes_again_two_lessons_later(workspace, course):
    progress = Progress.of(workspace)
    progress.gave_up("03.1")
    assert progress.seen("03.1")
    assert progress.next().id == "03.2"
    for lesson in course[:2]:
        for exercise in lesson.exercises:
            if exercise.id != "03.1":
                assert progress.next().id == exercise.id
                passed(workspace, exercise.id)
    assert progress.next().id == "03.1"  # the next one would be 10.1
    passed(workspace, "03.1")
    assert progress.next().id == "10.1"


def test_a_read_only_folder_is_a_sentence(workspace, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(
        LearnError, match=r"cannot write .*\.progress\.json: read-only file system. Try: choose a folder"
    ):
        Progress.of(workspace).hinted("10.1", 1)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path, course):
    (tmp_path / "my").write_text("a file")
    with pytest.raises(LearnError, match=r"cannot (make|write)"):
        Progress.of(Workspace(tmp_path / "my")).hinted("10.1", 1)
