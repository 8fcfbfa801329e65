"""The list of the course, its paths, its map in lessons/README.md, and the map of the stack."""

from __future__ import annotations

import pytest

from tinyllm.errors import LearnError
from tinyllm.learn.exercises import lessons
from tinyllm.learn.text import course
from tinyllm.learn.text.cells import lessons_folder
from tinyllm.learn.text.course_map import BEGIN, course_map, with_map
from tinyllm.learn.text.stack import LAYERS, stack_map


def test_the_course_has_24_lessons_and_every_one_is_in_a_part():
    assert [entry.number for entry in course.COURSE] == [f"{number:02d}" for number in range(24)]
    for entry in course.COURSE:
        assert sum(first <= entry.number <= last for _, first, last in course.PARTS) == 1


def test_what_is_written_agrees_with_the_list():
    for lesson in lessons():
        entry = course.entry(lesson.number)
        assert (entry.title, entry.minutes) == (lesson.title, lesson.minutes)


def test_paths_lead_over_lessons_of_the_course_and_a_typo_is_understood():
    assert len(course.path("express")) == 8 and len(course.path("build")) == 24
    with pytest.raises(LearnError, match="express"):
        course.path("expres")
    with pytest.raises(LearnError, match="00 to 23"):
        course.entry("24")


def test_the_map_names_every_lesson_and_links_those_that_are_there():
    text = course_map()
    for entry in course.COURSE:
        assert text.count(f"\n| {entry.number} |") + text.count(f"\n| **{entry.number}** |") == 1
    for lesson in lessons():
        assert f"(pages/{lesson.number}.md)" in text
    assert text.count("*to come*") == 24 - len(lessons())
    with pytest.raises(LearnError, match="no place"):
        with_map("# The course\n")


def test_the_map_in_the_readme_is_of_today():
    readme = (lessons_folder() / "README.md").read_text(encoding="utf-8")
    assert BEGIN in readme and with_map(readme) == readme


def test_every_lesson_but_the_last_has_its_box_in_the_stack():
    numbers = [number for _, stages in LAYERS for _, _, number in stages]
    assert sorted(numbers) == [f"{number:02d}" for number in range(23)]


def test_what_passed_is_yours_in_the_map():
    found = {stage.lesson: stage for stage in stack_map({"10.1", "10.2", "04.1"}, {"10.1": 3, "10.2": 4}).stages}
    assert (found["10"].yours, found["10"].of, found["10"].calls) == (2, 5, 7)
    assert found["04"].yours == 1 and found["11"].yours == 0 and found["11"].of == 0
    assert "2 of 23 stages" in stack_map({"10.1", "10.2", "04.1"}).subtitle
    assert {stage.lesson: stage.link for stage in stack_map(links=True).stages}["10"] == "10.md"
