"""The watch loop with a fake judge and fake keys: what it shows, when it checks, and what it never does."""

from __future__ import annotations

import os
import time

import pytest

from tinyllm.errors import LearnError
from tinyllm.learn import watch as module
from tinyllm.learn.exercise import Exercise, Lesson
from tinyllm.learn.keys import END, REDRAW
from tinyllm.learn.screen import page_text
from tinyllm.learn.watch import Watch

SLOT = "tinyllm.autograd.unbroadcast:unbroadcast"
HINTS = ("Which axes?", "Sum them.", "dy.sum(___)")
ONE = Exercise("99.1", SLOT, 10, (), (), HINTS, "Because sums undo copies.")
TWO = Exercise("99.2", SLOT, 10, (), (), HINTS, "Because.")
LESSON = Lesson("99", "fake", "Fake", "Is it?", 10, "nothing", (ONE, TWO))


class Session:
    """What the loop asks of a learner's session."""

    def __init__(self, desk):
        self.desk = desk
        self.workspace = desk
        self.notes = []
        self.taken = []
        self.kept = []
        self.level = 0
        self.done = set()

    def path(self, wanted):
        return self.desk.file

    def started(self, lesson):
        return self.desk.file.exists()

    def start(self, lesson):
        self.desk.write("raise NotImplementedError('99.1')")
        return self.desk.file

    def checking(self, exercise):
        self.kept.append(self.desk.file.read_text() if self.desk.file.exists() else "")

    def took(self, exercise, checked):
        self.taken.append(checked.verdict.state)
        if checked.verdict.passed:
            self.done.add(exercise.id)
        return checked.verdict

    def passed(self, exercise):
        return exercise.id in self.done

    def count(self, lesson=None):
        return len(self.done), 2

    def next(self, after=None):
        return TWO if after is ONE else ONE

    def hint(self, exercise, level=None):
        self.level = min(self.level + 1, 3)
        return self.level, exercise.hints[self.level - 1]

    def reset(self, exercise):
        self.desk.write("raise NotImplementedError('99.1')")

    def undo(self, lesson):
        raise LearnError("there is nothing to undo", hint="save the file")


class View:
    """Remembers what was shown."""

    width = 80

    def __init__(self):
        self.pages = []
        self.feet = []
        self.changed = False

    def show(self, page):
        self.pages.append(page_text(page))

    def add(self, page):
        self.pages.append(page_text(page))

    def foot(self, menu, where, status):
        self.feet.append((menu, where, status))

    def resized(self):
        now, self.changed = self.changed, False
        return now

    @property
    def last(self):
        return self.pages[-1]

    @property
    def status(self):
        return self.feet[-1][2]


class Keys:
    """Keys that a test presses."""

    def __init__(self):
        self.waiting = []

    def get(self, wait):
        if self.waiting:
            return self.waiting.pop(0)
        time.sleep(min(wait, 0.01))
        return None


@pytest.fixture
def loop(desk, monkeypatch):
    monkeypatch.setattr(module, "lesson_of", lambda exercise: LESSON)
    monkeypatch.setattr(module, "rows", lambda session: [(LESSON, [(ONE, "passed"), (TWO, "open")])])
    monkeypatch.setattr(module, "title", lambda exercise: "unbroadcast")
    watch = Watch(Session(desk), desk.worker, View(), Keys(), ONE, lambda exercise, verdict: "picture: there.png")
    watch.desk = desk
    return watch


def until(watch, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, (watch.view.pages, watch.view.feet[-3:])
        watch.turn()


def verdicts(watch, count):
    until(watch, lambda: len(watch.session.taken) == count)


def press(watch, *keys):
    for key in keys:
        watch.keys.waiting.append(key)
        watch.turn()


def test_a_save_brings_a_verdict_and_nothing_else_does(loop):
    loop.desk.write("return 41")
    loop.open(ONE)
    verdicts(loop, 1)
    assert "FAIL  value  41" in loop.view.last
    assert "It is not 42." in loop.view.last
    for _ in range(5):
        loop.looked = 0
        loop.turn()
    assert loop.session.taken == ["failed"]
    (loop.desk.folder / ".#l99_fake.py").write_text("an editor's mark")
    loop.looked = 0
    loop.turn()
    assert not loop.worker.busy
    loop.desk.write("return 42")
    verdicts(loop, 2)
    assert ["return 41" in text for text in loop.session.kept] == [True, False]
    assert "99.1 has passed." in loop.view.last
    assert "Because sums undo copies." in loop.view.last
    assert "is done" not in loop.view.last
    assert loop.exercise is ONE  # it never goes on by itself


def test_a_lesson_that_was_not_begun_gets_its_file(loop):
    loop.open(ONE)
    verdicts(loop, 1)
    assert "my/l99_fake.py is new" in loop.view.last
    assert "Still to be written" in loop.view.last
    assert loop.session.taken == ["stub"]


def test_a_save_during_a_check_gives_that_check_up(loop):
    loop.desk.write("while True: pass")
    loop.open(ONE)
    loop.turn()
    assert loop.worker.busy
    loop.desk.write("return 42")
    verdicts(loop, 1)
    assert loop.session.taken == ["passed"]


def test_two_saves_of_one_length_within_a_tick_of_the_clock_are_two(loop):
    loop.desk.write("return 41")
    loop.open(ONE)
    verdicts(loop, 1)
    facts = loop.desk.file.stat()
    loop.desk.write("return 42")
    os.utime(loop.desk.file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    verdicts(loop, 2)
    assert loop.session.taken == ["failed", "passed"]


def test_keys_by_letter_by_number_and_by_word(loop):
    loop.desk.write("return 41")
    loop.open(ONE)
    verdicts(loop, 1)
    press(loop, "h")
    assert loop.view.last == "hint 1 of 3: a question\n  Which axes?"
    press(loop, "2")
    assert "hint 2 of 3: the idea" in loop.view.last
    press(loop, "hint")
    assert "dy.sum(___)" in loop.view.last
    press(loop, "l")
    assert "> .. 99.2" not in loop.view.last
    assert " > ok 99.1 unbroadcast" in loop.view.last
    press(loop, "z")
    press(loop, "frobnicate")
    assert "no 'frobnicate' here" in loop.view.status
    assert loop.session.taken == ["failed"]


def test_explanation_only_after_passing_and_picture_only_where_there_is_one(loop):
    loop.desk.write("return 41")
    loop.open(ONE)
    verdicts(loop, 1)
    press(loop, "e")
    assert "comes after passing" in loop.view.status
    press(loop, "p")
    assert "no picture" in loop.view.status
    assert [name for _, name in loop.view.feet[-1][0]] == ["next", "hint", "reset", "undo", "list", "quit"]
    loop.verdict.picture = {"yours": [1.0], "reference": [2.0], "name": "x"}
    press(loop, "p")
    assert loop.view.last == "picture: there.png"


def test_next_asks_first_while_it_is_open(loop):
    loop.desk.write("return 41")
    loop.open(ONE)
    verdicts(loop, 1)
    press(loop, "n")
    assert loop.exercise is ONE and "still open" in loop.view.status
    press(loop, "h", "n")  # another key in between: asked anew
    assert loop.exercise is ONE
    press(loop, "n")
    assert loop.exercise is TWO


def test_the_last_exercise_of_a_lesson_shows_the_way_to_its_end(loop):
    loop.desk.write("return 42")
    loop.session.done.add("99.2")
    loop.open(ONE)
    verdicts(loop, 1)
    assert "Lesson 99 is done. Its end, on your own code: tinyllm learn run 99 --mine" in loop.view.last


def test_next_after_passing_goes_on_at_once(loop):
    loop.desk.write("return 42")
    loop.open(ONE)
    verdicts(loop, 1)
    press(loop, "n")
    assert loop.exercise is TWO


def test_reset_asks_first(loop):
    loop.desk.write("return 41")
    loop.open(ONE)
    verdicts(loop, 1)
    press(loop, "x")
    assert "return 41" in loop.desk.file.read_text()
    press(loop, "x")
    verdicts(loop, 2)
    assert loop.session.taken == ["failed", "stub"]


def test_trouble_with_a_key_is_a_sentence(loop):
    loop.desk.write("return 41")
    loop.open(ONE)
    verdicts(loop, 1)
    press(loop, "u")
    assert loop.view.last == "there is nothing to undo. Try: save the file"


def test_a_file_that_is_gone_is_told_and_may_come_back(loop, monkeypatch):
    monkeypatch.setattr(module, "_GONE", 0.2)
    loop.desk.write("return 41")
    loop.open(ONE)
    verdicts(loop, 1)
    loop.desk.file.rename(loop.desk.file.with_suffix(".bak"))
    until(loop, lambda: "is gone" in loop.view.last)
    pages = len(loop.view.pages)
    loop.looked = 0
    loop.turn()
    assert len(loop.view.pages) == pages  # told once
    loop.desk.write("return 42")
    verdicts(loop, 2)


def test_an_editor_that_replaces_the_file_is_no_loss(loop):
    loop.desk.write("return 41")
    loop.open(ONE)
    verdicts(loop, 1)
    loop.desk.file.unlink()
    loop.looked = 0
    loop.turn()
    loop.desk.write("return 42")
    verdicts(loop, 2)
    assert not any("is gone" in page for page in loop.view.pages)


@pytest.mark.parametrize("key", ["q", "quit", "8", END])
def test_quitting_ends_the_loop_and_the_check(loop, key):
    loop.desk.write("while True: pass")
    loop.keys.waiting.append(key)
    assert loop.run() == 0
    assert not loop.worker.busy


def test_another_size_draws_the_verdict_again(loop):
    loop.desk.write("return 41")
    loop.open(ONE)
    verdicts(loop, 1)
    pages = len(loop.view.pages)
    loop.view.width, loop.view.changed, loop.looked = 30, True, 0
    loop.turn()
    assert len(loop.view.pages) == pages + 1
    assert max(map(len, loop.view.last.splitlines()[1:])) < 30
    press(loop, REDRAW)
    assert len(loop.view.pages) == pages + 2
    assert loop.session.taken == ["failed"]


def test_notes_stand_beside_the_verdict_once(loop):
    loop.desk.write("return 42")
    loop.session.notes.append("the folder is read-only: the verdict stands")
    loop.open(ONE)
    verdicts(loop, 1)
    assert "note: the folder is read-only" in loop.view.last
    assert loop.session.notes == []
