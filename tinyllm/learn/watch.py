"""The watch loop: save the file, and a moment later the verdict is there; it never goes on by itself.

It looks at the learner's files five times a second, gives a check that is under way up when they change, and redraws.
Whatever the code does, it does in another process (worker.py); whatever is pressed, no code is lost (history.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..errors import TinyLLMError
from .exercise import Exercise
from .exercises import lesson_of
from .keys import END, REDRAW, Keys
from .screen import Page, panel, paragraph, verdict_page
from .session import HINTS, Session, rows, title
from .trouble import sentence_of
from .verdict import Verdict
from .worker import Checked, Worker

_POLL = 0.2  # seconds between two looks at the files
_SETTLE = 0.03  # seconds for an editor that writes a file in two steps
_GONE = 1.0  # seconds that a file may be away: editors replace it by another

MENU = (
    ("n", "next"),
    ("h", "hint"),
    ("p", "picture"),
    ("e", "explain"),
    ("x", "reset"),
    ("u", "undo"),
    ("l", "list"),
    ("q", "quit"),
)


class View(Protocol):
    """Where the loop is seen: live.py has one that redraws a terminal and one that prints lines."""

    @property
    def width(self) -> int:
        """How many characters a line may have."""

    def show(self, page: Page) -> None:
        """Show a page in place of the last one."""

    def add(self, page: Page) -> None:
        """Show a page below what is there."""

    def foot(self, menu: list[tuple[str, str]], where: str, status: str) -> None:
        """Show the keys, where the learner is, and what goes on."""

    def resized(self) -> bool:
        """Does the screen have another size than when it was drawn?"""


class Watch:
    """One run of the loop.

    Args:
        session: the learner's.
        worker: what checks.
        view: what shows.
        keys: what is pressed.
        exercise: the first one to look at.
        draw: makes a picture of a verdict and returns where it is, or a sentence.
    """

    def __init__(
        self, session: Session, worker: Worker, view: View, keys: Keys, exercise: Exercise,
        draw: Callable[[Exercise, Verdict], str],
    ) -> None:  # fmt: skip
        self.session = session
        self.worker = worker
        self.view = view
        self.keys = keys
        self.draw = draw
        self.exercise = exercise
        self.verdict: Verdict | None = None
        self.output = ""
        self.said: list[str] = []  # beside the verdict
        self.signature: object = None
        self.looked = 0.0
        self.asked = ""  # the key that has to be pressed once more
        self.gone = 0.0  # since when the file is away
        self.over = False
        self.news: list[str] = []  # what was made or added, until the next verdict
        self.counts = (0, 0), (0, 0)

    def run(self) -> int:
        """Go on until the learner quits or the input ends; return 0."""
        self.open(self.exercise)
        try:
            while not self.over:
                self.turn()
        finally:
            self.worker.cancel()
        return 0

    def turn(self) -> None:
        """Look once at the keys, at the files and at the check that is under way."""
        pressed = self.keys.get(0.0 if self.worker.busy else 0.05)
        if pressed is not None:
            self.press(pressed)
        if time.monotonic() - self.looked >= _POLL:
            self.look()
            if self.view.resized():
                self.show()
        checked = self.worker.poll(0.02) if self.worker.busy else None
        if checked is not None:
            self.take(checked)

    def open(self, exercise: Exercise) -> None:
        """Turn to an exercise: make its file if there is none, and check it."""
        self.exercise, self.verdict, self.gone = exercise, None, 0.0
        lesson = lesson_of(exercise)
        self.counts = self.session.count(lesson), self.session.count()
        if not self.session.started(lesson):
            path = self.session.start(lesson)
            self.news += [
                f"{path.parent.name}/{path.name} is new: open it in your editor.",
                f"The text of the lesson, {lesson.title}: tinyllm learn show {lesson.number}",
            ]
        self.signature = self.look_at_files()
        self.check()

    def check(self) -> None:
        """Begin a check of the exercise."""
        self.session.checking(self.exercise)
        self.worker.begin(self.exercise.id)
        self.foot(f"checking {self.exercise.id} ...")

    def look(self) -> None:
        """See whether a file has changed."""
        now = self.look_at_files()
        self.looked = time.monotonic()
        path = self.session.path(self.exercise)
        if not path.exists():
            self.gone = self.gone or time.monotonic()
            if 0 < time.monotonic() - self.gone > _GONE and self.signature is not None:
                self.signature = None
                self.worker.cancel()
                self.lost(path)
            return
        self.gone = 0.0
        if now == self.signature:
            return
        while True:  # until the editor has written all of it
            time.sleep(_SETTLE)
            again = self.look_at_files()
            if again == now:
                break
            now = again
        self.signature = now
        self.check()

    def look_at_files(self) -> dict[str, tuple[int, int, int]]:
        """Return what changes when one of the learner's files does."""
        found = sorted(Path(self.session.workspace.folder).glob("*.py"))
        return {
            path.name: _state(path) for path in found if path.name[0] not in ".#"
        }  # what editors leave is not theirs

    def take(self, checked: Checked) -> None:
        """Show what came of a check."""
        self.verdict, self.output = self.session.took(self.exercise, checked), checked.output
        self.asked = ""
        self.said = [*self.news, *(f"note: {note}" for note in self.session.notes)]
        self.session.notes.clear()
        self.news.clear()
        if not any(
            line.name == "load" for line in self.verdict.lines
        ):  # a file that is not Python now has lost nothing
            self.counts = self.session.count(lesson_of(self.exercise)), self.session.count()
        self.show()

    def show(self) -> None:
        """Draw the last verdict and what belongs to it."""
        verdict, width = self.verdict, self.view.width
        if verdict is None:
            return
        page = verdict_page(verdict, title(self.exercise), width, self.output)
        if verdict.passed:
            page += [[("", "")], [(f"{self.exercise.id} has passed.", "bold green")]]
            page += paragraph(self.exercise.explain, width, "  ")
            lesson, (done, every) = lesson_of(self.exercise), self.counts[0]
            if done == every:
                command = f"tinyllm learn run {lesson.number} --mine"
                text = f"Lesson {lesson.number} is done. Its end, on your own code: {command}"
                page += [[("", "")], *paragraph(text, width, "", "bold")]
        page += [[("", "")]] if self.said else []
        for sentence in self.said:
            page += paragraph(sentence, width, "", "yellow")
        self.view.show(page)
        self.foot()

    def press(self, key: str) -> None:
        """Do what a key means: a letter, a number of the menu, or a word; what means nothing is passed over."""
        self.worker_free()
        word = key.strip().lower()
        if word.isdigit() and 1 <= int(word) <= len(MENU):
            word = MENU[int(word) - 1][0]
        letter = next((letter for letter, name in MENU if word in (letter, name)), "")
        if key == REDRAW:
            self.show()
            return
        if word == END or letter == "q":
            self.over = True
            return
        action = {
            "n": self.on, "h": self.hint, "p": self.picture, "e": self.explain, "x": self.reset, "u": self.undo,
            "l": self.list,
        }.get(letter)  # fmt: skip
        if action is None:
            if len(word) > 1:
                self.foot(f"there is no {word!r} here")
            return
        if self.asked and self.asked != letter:
            self.asked = ""
        try:
            action()
        except TinyLLMError as error:
            self.view.add(paragraph(sentence_of(error), self.view.width))
            self.foot()
        except OSError as error:
            self.view.add(paragraph(f"{error.filename}: {(error.strerror or str(error)).lower()}", self.view.width))
            self.foot()

    def worker_free(self) -> None:
        """Take what a check has found in the meantime, so that a key speaks of what is on the screen."""
        checked = self.worker.poll(0.0) if self.worker.busy else None
        if checked is not None:
            self.take(checked)

    def sure(self, letter: str, question: str) -> bool:
        """Ask once; return True when the same key comes again."""
        if self.asked == letter:
            self.asked = ""
            return True
        self.asked = letter
        self.foot(f"{question} Press {letter} again to do it.")
        return False

    def on(self) -> None:
        """Go on to the next open exercise."""
        following = self.session.next(self.exercise)
        if not (self.verdict and self.verdict.passed) and not self.sure("n", f"{self.exercise.id} is still open."):
            return
        self.view.show([])
        self.open(following)

    def hint(self) -> None:
        """Show the next hint."""
        level, text = self.session.hint(self.exercise)
        self.view.add(panel(f"hint {level} of 3: {HINTS[level - 1]}", text, self.view.width, verbatim=level == 3))
        self.foot()

    def explain(self) -> None:
        """Show why it is so, once it has passed."""
        if self.verdict and self.verdict.passed:
            self.view.add(panel("why", self.exercise.explain, self.view.width))
            self.foot()
        else:
            self.foot("the explanation comes after passing; h gives a hint")

    def picture(self) -> None:
        """Draw what the last check found."""
        if self.verdict is None or self.verdict.picture is None:
            self.foot("there is no picture of this verdict")
            return
        self.foot("drawing ...")
        self.view.add(paragraph(self.draw(self.exercise, self.verdict), self.view.width))
        self.foot()

    def reset(self) -> None:
        """Put the stub back, after asking."""
        if self.sure("x", f"This puts the stub of {title(self.exercise)} back; u takes that back."):
            self.session.reset(self.exercise)
            self.look()

    def undo(self) -> None:
        """Take the last reset back, or restore the version before."""
        self.view.add(paragraph(self.session.undo(lesson_of(self.exercise)), self.view.width))
        self.foot()
        self.look()

    def list(self) -> None:
        """Show the exercises of the lesson and how it stands with the others."""
        self.view.add(list_page(self.session, self.exercise))
        self.foot()

    def lost(self, path: Path) -> None:
        """Say that the file is away and how it comes back."""
        name = f"{path.parent.name}/{path.name}"
        text = f"{name} is gone. If you moved it, move it back; u restores the last version that was checked."
        self.view.show(paragraph(text, self.view.width))
        self.foot()

    def foot(self, status: str = "") -> None:
        """Show keys and place."""
        lesson, (mine, every) = lesson_of(self.exercise), self.counts
        where = f"lesson {lesson.number}: {mine[0]}/{mine[1]}   course: {every[0]}/{every[1]}"
        passed = bool(self.verdict and self.verdict.passed)
        left_out = {"p"} if not (self.verdict and self.verdict.picture) else set()
        left_out |= set() if passed else {"e"}
        self.view.foot([(letter, name) for letter, name in MENU if letter not in left_out], where, status)


def list_page(session: Session, current: Exercise | None = None) -> Page:
    """Draw the exercises of the current lesson, and one line for each of the others."""
    page: Page = []
    here = lesson_of(current) if current else None
    for lesson, states in rows(session):
        done = sum(state == "passed" for _, state in states)
        full = lesson == here or here is None
        page.append([(f"{lesson.number} {lesson.title}", "bold" if full else ""), (f"   {done}/{len(states)}", "dim")])
        for one, state in states if full else []:
            mark, style = {"passed": ("ok", "green"), "open": ("..", "")}.get(state, ("  ", ""))
            arrow = ">" if one == current else " "
            page.append([(f" {arrow} ", "bold"), (f"{mark} ", style), (f"{one.id} {title(one)}", "")])
    return page


def _state(path: Path) -> tuple[int, int, int]:
    """Describe a file: its time and size, and its content, as some clocks do not tell two quick saves apart."""
    try:
        facts = path.stat()
        return facts.st_mtime_ns, facts.st_size, hash(path.read_bytes())
    except OSError:
        return 0, -1, 0
