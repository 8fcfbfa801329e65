"""The map of the course in lessons/README.md: its lessons by part, with a link where there is one to open."""

from __future__ import annotations

import re

from ...errors import LearnError
from ..exercise import Lesson
from ..exercises import lessons
from .course import COURSE, PARTS, PATHS, Entry

BEGIN, END = "<!-- the map, made by python -m tinyllm.learn.text.page -->", "<!-- end of the map -->"


def course_map() -> str:
    """Write the map as Markdown: a table for each part, and the paths."""
    there = {lesson.number: lesson for lesson in lessons()}
    blocks = []
    for name, first, last in PARTS:
        rows = ["| | lesson | question | minutes |", "|---|---|---|---|"]
        rows += [_row(entry, there.get(entry.number)) for entry in COURSE if first <= entry.number <= last]
        blocks.append(f"### {name}\n\n" + "\n".join(rows))
    paths = [
        "### Paths",
        "`tinyllm learn path express` shows where you are on a path. `*` marks a lesson that is here.",
    ]
    rows = ["| path | what for | lessons |", "|---|---|---|"]
    for name, (purpose, numbers) in PATHS.items():
        listed = " ".join(f"{number}*" if number in there else number for number in numbers)
        rows.append(f"| {name} | {purpose} | {listed} |")
    return "\n\n".join([*blocks, *paths, "\n".join(rows)])


def _row(entry: Entry, lesson: Lesson | None) -> str:
    if lesson is None:
        return f"| {entry.number} | {entry.title} | {entry.question} | *to come* |"
    name = f"[{lesson.title}](pages/{lesson.number}.md)"
    return f"| **{lesson.number}** | **{name}** | {lesson.question} | {lesson.minutes} |"


def with_map(readme: str) -> str:
    """Return lessons/README.md with the map of today.

    Raises:
        LearnError: it has no place for a map.

    Example:
        >>> "Attention" in with_map(BEGIN + END)
        True
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise LearnError("lessons/README.md has no place for the map", hint=f"the lines {BEGIN} and {END}")
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{course_map()}\n\n{END}", readme)
