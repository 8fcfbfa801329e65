"""Learners replayed, in a real pseudo-terminal: what they type, what they save, and what they see."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is POSIX's")

ROOT = Path(__file__).parents[2]
STUB = '    raise NotImplementedError("10.1")'
WRONG = "    return np.arange(S) < np.arange(T)[:, None] + S - T"
RIGHT = "    return np.arange(S) <= np.arange(T)[:, None] + S - T"


def _hang_up_matters() -> None:
    """Undo what nohup, above us, may have left to all its descendants."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Learner:
    """Somebody at a terminal of 80 columns, with an editor beside it."""

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self.file = folder / "my" / "l10_attention.py"
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        self.before = termios.tcgetattr(theirs)
        plain = {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **environ}
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TINYLLM_PLAIN", "COLUMNS", "TINYLLM_MY")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tinyllm", "learn", *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
            cwd=folder, env={**kept, **plain}, start_new_session=True, preexec_fn=_hang_up_matters,
        )  # fmt: skip
        self.theirs = theirs
        self.seen = ""

    def look(self, wait: float = 0.05) -> str:
        """Return the screen: what was written since it was last cleared."""
        while select.select([self.ours], [], [], wait)[0]:
            try:
                data = os.read(self.ours, 65536)
            except OSError:
                break
            if not data:
                break
            self.seen += data.decode("utf-8", "replace")
        screen = self.seen.rsplit("\x1b[2J", 1)[-1]
        return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen).split())

    def sees(self, *words: str) -> str:
        """Wait until all of these are on the screen."""
        until = time.monotonic() + 60
        while not all(word in self.look() for word in words):
            assert time.monotonic() < until, (words, self.look())
            assert self.process.poll() is None or all(word in self.look() for word in words), self.seen
        return self.look()

    def types(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def saves(self, text: str) -> None:
        self.file.write_text(text)

    def ends(self) -> int:
        code = self.process.wait(60)
        self.look()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def learner(tmp_path):
    made = []

    def begin(*arguments, **environ):
        made.append(Learner(tmp_path, *arguments, **environ))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def test_a_novice_with_the_usual_errors(learner):
    one = learner("10")
    one.sees("10.1 causal_mask", "Still to be written", "my/l10_attention.py is new", "lesson 10: 0/5")
    stub = one.file.read_text()
    one.saves(stub.replace(STUB, WRONG + ")"))
    one.sees("FAIL load", "unmatched ')'")
    one.saves(stub.replace(STUB, "    while True: pass"))
    one.saves(stub.replace(STUB, WRONG))  # while the loop is still turning
    one.sees("FAIL", "n next | h hint")
    one.types("h")
    one.sees("hint 1 of 3: a question")
    one.types("h")
    one.sees("hint 2 of 3: the idea")
    one.types("n")
    one.sees("10.1 is still open. Press n again")
    one.saves(stub.replace(STUB, RIGHT))
    one.sees("10.1 has passed.", "lesson 10: 1/5")
    one.types("l")
    one.sees("> ok 10.1 causal_mask", ".. 10.2 attend")
    one.types("n")
    one.sees("10.2 attend", "Still to be written")
    one.types("q")
    assert one.ends() == 0
    assert "1 of" in one.look() and "exercises have passed" in one.look()
    assert one.file.read_text() == stub.replace(STUB, RIGHT)


def test_an_expert_who_writes_the_whole_lesson_at_once(learner, tmp_path):
    from tinyllm.learn.exercises import lesson
    from tinyllm.learn.slots.slot import Slot

    slots = [Slot.of(one.slot) for one in lesson("10").exercises]
    head = "import numpy as np\n\nfrom tinyllm.kernels.attention import flip, softmax\n\n\n"
    one = learner("10")
    one.sees("Still to be written")
    one.saves(head + "\n\n\n".join(slot.solution() for slot in slots))
    one.sees("10.1 has passed.", "lesson 10: 1/5")
    for k in range(2, 6):
        one.types("n")
        one.sees(f"10.{k} has passed.", f"lesson 10: {k}/5")
    assert "Lesson 10 is done. Its end, on your own code: tinyllm learn run 10 --mine" in one.look()
    one.types("n")
    one.sees("Still to be written", "is new: open it in your editor")
    one.types("q")
    assert one.ends() == 0


def test_the_terminal_is_as_it_was(learner):
    import termios

    one = learner("10")
    one.sees("Still to be written")
    assert not termios.tcgetattr(one.theirs)[3] & termios.ICANON
    one.types("q")
    assert one.ends() == 0
    assert termios.tcgetattr(one.theirs) == one.before


def test_ctrl_c_leaves_it_cleanly(learner):
    import termios

    one = learner("10")
    one.sees("Still to be written")
    os.kill(one.process.pid, signal.SIGINT)
    assert one.ends() == 130
    assert "Traceback" not in one.seen
    assert termios.tcgetattr(one.theirs) == one.before


def test_reset_and_undo_by_key(learner):
    one = learner("10")
    one.sees("Still to be written")
    mine = one.file.read_text().replace(STUB, RIGHT)
    one.saves(mine)
    one.sees("10.1 has passed.")
    one.types("x")
    one.sees("Press x again")
    one.types("x")
    one.sees("Still to be written")
    assert one.file.read_text() != mine
    one.types("u")
    one.sees("10.1 has passed.")
    assert one.file.read_text() == mine


def test_plain_lines_with_words_and_numbers(learner):
    one = learner("10", NO_COLOR="1")
    one.sees("Still to be written", "type a number, then Enter: 1 next, 2 hint")
    one.types("hint\n")
    one.sees("hint 1 of 3")
    one.types("2\n")
    one.sees("hint 2 of 3")
    one.types("8\n")
    assert one.ends() == 0
    assert "\x1b" not in one.seen


def test_a_terminal_that_is_closed_ends_the_loop(learner):
    one = learner("10")
    one.sees("Still to be written")
    os.kill(one.process.pid, signal.SIGHUP)
    assert one.ends() != 0


def test_another_width_and_back_from_ctrl_z(learner):
    import fcntl
    import struct
    import termios

    one = learner("10")
    one.sees("Still to be written", "n next | h hint | x reset | u undo | l list | q quit")
    fcntl.ioctl(one.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 40, 0, 0))
    one.seen = ""
    one.sees("Still to be written")
    assert max(len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", row)) for row in one.seen.splitlines()[1:3]) <= 40
    one.seen = ""
    os.kill(one.process.pid, signal.SIGCONT)  # what fg sends
    one.sees("Still to be written")


def test_two_terminals_on_one_folder(learner):
    first, second = learner("10"), learner("10")
    first.sees("Still to be written")
    second.sees("Still to be written")
    first.saves(first.file.read_text().replace(STUB, RIGHT))
    first.sees("10.1 has passed.", "lesson 10: 1/5")
    second.sees("10.1 has passed.", "lesson 10: 1/5")
