"""Every lesson of the course: it runs from a clean process, reads well, and its page is up to date."""

from __future__ import annotations

import pytest

from tinyllm.learn.exercises import lessons
from tinyllm.learn.gates.console import r12_console
from tinyllm.learn.gates.exports import HEAVIEST, r10_exports
from tinyllm.learn.gates.order import r9_order
from tinyllm.learn.gates.text import r7_text
from tinyllm.learn.text.cells import lesson_path, lessons_folder
from tinyllm.learn.text.page import around
from tinyllm.learn.text.recording import record

LESSONS = pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.number)


@LESSONS
def test_it_runs_offline_from_a_clean_process(lesson):
    found = record(lesson_path(lesson), quick=True)
    assert found.error == ""
    assert sum(event.kind == "claim" for event in found.events) >= 3


@pytest.mark.slow
@LESSONS
def test_it_runs_without_numba(lesson):
    assert record(lesson_path(lesson), quick=True, numba=False).error == ""


@LESSONS
@pytest.mark.parametrize("gate", [r7_text, r9_order, r10_exports, r12_console], ids=lambda gate: gate.__name__)
def test_it_passes_the_gates_of_its_text(gate, lesson):
    assert gate(lesson) == []


def test_what_stands_around_the_lessons_is_up_to_date():
    for path, text in around().items():
        assert path.read_text(encoding="utf-8") == text, f"python -m tinyllm.learn.text.page makes {path.name} again"


def test_all_pages_together_are_light():
    size = sum(path.stat().st_size for path in lessons_folder().rglob("*") if path.is_file() and path.suffix != ".png")
    assert size < HEAVIEST
