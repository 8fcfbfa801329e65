"""History: whatever commands come in whatever order, nothing that the learner wrote is lost (A8)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.errors import LearnError
from tinyllm.learn import exercises
from tinyllm.learn.exercise import Lesson
from tinyllm.learn.verdict import Verdict
from tinyllm.learn.work import history
from tinyllm.learn.work.progress import Progress
from tinyllm.learn.work.workspace import Workspace

from ..conftest import ALL

LESSON = Lesson("10", "attention", "Attention", "Why?", 10, "", [e for e in ALL.values() if e.id.startswith("10")])


@pytest.fixture
def workspace(tmp_path, course):
    made = Workspace(tmp_path / "my")
    made.start(LESSON)
    return made


def saved(workspace, text):
    workspace.file(LESSON).write_bytes(text.encode())


def read(workspace):
    return workspace.file(LESSON).read_bytes()


def kept(workspace):
    return [path.read_bytes() for path in history.versions(workspace, LESSON)]


def test_a_check_keeps_a_version_once(workspace):
    first = history.keep(workspace, LESSON)
    assert first == history.keep(workspace, LESSON)
    saved(workspace, "x = 1\n")
    history.keep(workspace, LESSON)
    assert kept(workspace)[-1] == b"x = 1\n" and len(kept(workspace)) == 2


def test_the_last_twenty_are_kept(workspace):
    for n in range(30):
        saved(workspace, f"x = {n}\n")
        history.keep(workspace, LESSON)
    assert kept(workspace) == [f"x = {n}\n".encode() for n in range(10, 30)]


def test_without_a_file_there_is_nothing_to_keep(workspace):
    workspace.file(LESSON).unlink()
    assert history.keep(workspace, LESSON) is None


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reset_is_that_function_and_no_byte_more(workspace, end):
    before = "# \u00e9\x0c notes\nimport numpy as np\n\n\n"
    after = "\n\n# between\n\nx = '\u2028'\n\ndef split_heads(x, H):\n    return 'mine'\n"
    own = "@np.errstate()\ndef attend(q, k):\n\n    # comment\n    return 'mine'\n"
    saved(workspace, (before + own + after).replace("\n", end))
    history.reset(ALL["10.2"], workspace)
    now = read(workspace).decode()
    assert now.startswith(before.replace("\n", end)) and now.endswith(after.replace("\n", end))
    assert workspace.state(ALL["10.2"]) == "stub" and workspace.state(ALL["10.4"]) == "written"
    assert (before + own + after).replace("\n", end).encode() in kept(workspace)


def test_reset_brings_back_a_function_that_was_deleted(workspace):
    saved(workspace, "x = 1\n")
    history.reset(ALL["10.2"], workspace)
    assert read(workspace).startswith(b"x = 1\n") and workspace.state(ALL["10.2"]) == "stub"


def test_reset_of_a_broken_file_says_where_and_changes_nothing(workspace):
    saved(workspace, "def attend(:\n")
    with pytest.raises(LearnError, match=r"my/l10_attention.py:1: "):
        history.reset(ALL["10.2"], workspace)
    assert read(workspace) == b"def attend(:\n"


def test_undo_takes_back_a_reset_and_itself(workspace):
    text = "def attend(q):\n    return 'mine'\n"
    saved(workspace, text)
    history.reset(ALL["10.2"], workspace)
    stub = read(workspace)
    assert "undo once more" in history.undo(LESSON, workspace)
    assert read(workspace) == text.encode()
    history.undo(LESSON, workspace)
    assert read(workspace) == stub
    history.undo(LESSON, workspace)
    assert read(workspace) == text.encode()


def test_undo_keeps_what_was_not_checked_yet(workspace):
    for text in ("x = 1\n", "x = 2\n"):
        saved(workspace, text)
        history.keep(workspace, LESSON)
    saved(workspace, "x = 3  # not checked\n")
    history.undo(LESSON, workspace)
    assert read(workspace) == b"x = 2\n"
    history.undo(LESSON, workspace)
    assert read(workspace) == b"x = 3  # not checked\n"


def test_back_and_forth_pushes_nothing_out(workspace):
    for n in range(5):
        saved(workspace, f"x = {n}\n")
        history.keep(workspace, LESSON)
    for _ in range(30):
        history.undo(LESSON, workspace)
    assert sorted(kept(workspace)) == [f"x = {n}\n".encode() for n in range(5)]


def test_a_save_between_reading_and_resetting_wins(workspace, monkeypatch):
    parsed = Workspace.parsed

    def slow(self, lesson):
        found = parsed(self, lesson)
        saved(workspace, "# saved\n# meanwhile\nx = 1\n")
        return found

    saved(workspace, "def attend(q):\n    return 'mine'\n")
    monkeypatch.setattr(Workspace, "parsed", slow)
    with pytest.raises(LearnError, match="has just been saved by another program"):
        history.reset(ALL["10.2"], workspace)
    assert read(workspace) == b"# saved\n# meanwhile\nx = 1\n"


def test_undo_brings_back_a_deleted_file(workspace):
    saved(workspace, "x = 1\n")
    history.keep(workspace, LESSON)
    workspace.file(LESSON).unlink()
    assert history.undo(LESSON, workspace) == "my/l10_attention.py is back"
    assert read(workspace) == b"x = 1\n"


def test_undo_without_a_version_before(workspace):
    with pytest.raises(LearnError, match=r"no earlier version of my/l10_attention.py"):
        history.undo(LESSON, workspace)
    history.keep(workspace, LESSON)
    with pytest.raises(LearnError, match="no earlier version"):
        history.undo(LESSON, workspace)


def test_what_an_editor_saves_meanwhile_wins(workspace):
    def edit(before):
        saved(workspace, "saved = 'meanwhile'\n")
        return b"lost"

    with pytest.raises(LearnError, match="has just been saved by another program"):
        history.change(workspace, LESSON, edit)
    assert read(workspace) == b"saved = 'meanwhile'\n"


def test_foreign_files_in_the_history_are_left_alone(workspace):
    history.keep(workspace, LESSON)
    foreign = workspace.folder / ".history" / "l10_attention" / "notes.py"
    foreign.write_text("mine")
    for n in range(25):
        saved(workspace, f"x = {n}\n")
        history.keep(workspace, LESSON)
    assert foreign.read_text() == "mine" and len(kept(workspace)) == history.KEPT


# A8

WORK = st.integers(0, 5).map(lambda n: f"def attend(q):\n    return {n}\n\n\ndef split_heads(x, H):\n    return {n}\n")
COMMAND = st.one_of(
    st.tuples(st.just("save"), WORK),
    st.tuples(st.just("save"), st.sampled_from(["def attend(:\n", "x = 1\r\ny = 2\r\n", "", "attend = 3"])),
    st.tuples(st.sampled_from(["check", "undo", "start", "delete", "forget"]), st.just("")),
    st.tuples(st.just("reset"), st.sampled_from(["10.1", "10.2", "10.4"])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(COMMAND, max_size=12))
def test_no_sequence_of_commands_loses_what_was_written(tmp_path_factory, commands):
    """What is in the file when a command of ours comes, and what was ever kept, is there afterwards."""
    workspace = Workspace(tmp_path_factory.mktemp("a8") / "my")
    workspace.folder.mkdir()
    path = workspace.file(LESSON)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exercises, "lessons", lambda: (LESSON,))
        for command, argument in commands:
            safe = set(kept(workspace))
            if command not in ("save", "delete") and path.exists():
                safe.add(path.read_bytes())
            run(workspace, command, argument)
            there = set(kept(workspace)) | ({path.read_bytes()} if path.exists() else set())
            assert safe <= there, command


def run(workspace, command, argument):
    path = workspace.file(LESSON)
    try:
        if command == "save":
            path.write_bytes(argument.encode())
        elif command == "check":
            history.keep(workspace, LESSON)
            source = workspace.source(ALL["10.2"])
            Progress.of(workspace).record(Verdict("10.2", "passed"), source)
            assert Progress.of(workspace).passed(ALL["10.2"])
        elif command == "undo":
            history.undo(LESSON, workspace)
        elif command == "start":
            workspace.start(LESSON)
        elif command == "reset":
            history.reset(ALL[argument], workspace)
        elif command == "delete":
            path.unlink(missing_ok=True)
        else:
            (workspace.folder / ".progress.json").unlink(missing_ok=True)
    except LearnError as error:
        assert "\n" not in str(error)
