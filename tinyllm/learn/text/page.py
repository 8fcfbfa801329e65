"""A lesson's page: Markdown and SVG that any git host shows, made by running the lesson once.

    python -m tinyllm.learn.text.page            make the pages that are out of date
    python -m tinyllm.learn.text.page --all      make every page
    python -m tinyllm.learn.text.page 10         make this one
    python -m tinyllm.learn.text.page --check    say which are out of date, and make none
    python -m tinyllm.learn.text.page --header 10    put the header of its record into lesson 10, as its first cell

A page is stamped with the hash of what it was made from (the lesson, its exercises as they are shown, the words of the
glossary), so that anybody can tell whether it is up to date without making it again.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from ...atomic import write_atomically
from ...cli.screen import say
from ...errors import LearnError
from ..exercise import Exercise, Lesson
from ..exercises import exercise, lessons
from ..exercises import lesson as lesson_of_number
from .cells import Cell, lesson_path, lessons_folder, read, with_header
from .course import neighbors
from .course_map import with_map
from .glossary import glossary_page, linked
from .lesson import Claim, Question
from .markdown import claims_box, exercise_box, fenced, folded, question_box
from .recording import Event, Recording, record

FORM = "1"  # of what this file writes; a new one makes every page out of date


@dataclass
class Page:
    """A page, ready to be written.

    Attributes:
        name: "10.md".
        text: its Markdown.
        figures: file name -> SVG.
    """

    name: str
    text: str
    figures: dict[str, str] = field(default_factory=dict)


def make(lesson: Lesson) -> Page:
    """Run a lesson in full, in a fresh process, and make its page.

    Raises:
        LearnError: the lesson stops with an error.
    """
    recording = record(lesson_path(lesson))
    if recording.error:
        raise LearnError(f"lesson {lesson.number} has no page: {recording.error}")
    return compose(lesson, read(lesson), recording)


def compose(lesson: Lesson, cells: Sequence[Cell], recording: Recording) -> Page:
    """Put a page together from a lesson's cells and what they showed."""
    page = Page(f"{lesson.number}.md", "")
    blocks = [_stamp_line(lesson), _way(lesson)]
    for cell in cells:
        if cell.title:
            blocks.append(heading(cell))
        if cell.kind == "markdown":
            blocks.append(linked(cell.text))
        else:
            code = fenced(cell.shown) if cell.shown.strip() else ""
            if code and cell.imports:
                code = folded("What it imports", code)
            outputs = _outputs(page, lesson, recording.within(cell.line, cell.end))
            blocks += [*outputs, folded("The code", code) if code else ""] if cell.hidden else [code, *outputs]
    blocks += ["---", _way(lesson)]
    page.text = "\n\n".join(block for block in blocks if block.strip()) + "\n"
    return page


def heading(cell: Cell) -> str:
    """Write a cell's title: a heading where it starts a section, a caption otherwise."""
    if cell.section is None:
        return f"*{cell.title}*"
    word, rest = cell.section
    return f"## {word.capitalize()}: {rest}" if rest else f"## {word.capitalize()}"


def _outputs(page: Page, lesson: Lesson, events: Sequence[Event]) -> list[str]:
    blocks = []
    for kind, group in groupby(events, key=lambda event: event.kind):
        same = list(group)
        if kind == "claim":
            blocks.append(claims_box([Claim(**event.data) for event in same]))
        elif kind == "print":
            blocks.append(fenced("".join(event.data for event in same), "text"))
        else:
            blocks += [_output(page, lesson, event) for event in same]
    return blocks


def _output(page: Page, lesson: Lesson, event: Event) -> str:
    if event.kind == "say":
        return linked(event.data)
    if event.kind == "predict":
        return linked(question_box(Question(**{**event.data, "choices": tuple(event.data["choices"])})))
    if event.kind == "build":
        return exercise_box(exercise(event.data))
    name = f"{lesson.number}-{len(page.figures) + 1}.svg"
    page.figures[name] = event.data["svg"]
    words = event.data["alt"].replace("[", "(").replace("]", ")")
    return f"![{words}](figures/{name})"


def _way(lesson: Lesson) -> str:
    """The line of links at a page's top and bottom."""
    before, after = neighbors(lesson.number, {found.number for found in lessons()})
    parts = [f"[&larr; {before.number} {before.title}]({before.number}.md)"] if before else []
    parts += ["[The course](../README.md)", f"[Source](../{lesson.number}_{lesson.name}.py)", "[Glossary](glossary.md)"]
    parts += [f"[{after.number} {after.title} &rarr;]({after.number}.md)"] if after else []
    return " &middot; ".join(parts)


# is it up to date?


def stamp(lesson: Lesson) -> str:
    """Return the hash of all that a lesson's page is made from, short of running it."""
    parts = [FORM, lesson_path(lesson).read_text(encoding="utf-8"), _way(lesson)]
    parts += [exercise_box(item) for item in _shown(lesson)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _shown(lesson: Lesson) -> list[Exercise]:
    return list(lesson.exercises)


def _stamp_line(lesson: Lesson) -> str:
    path = f"lessons/{lesson.number}_{lesson.name}.py"
    command = f"python -m tinyllm.learn.text.page {lesson.number}"
    return f"<!-- made from {path} ({stamp(lesson)}): edit that file, then {command} -->"


def stale(lesson: Lesson, folder: Path | None = None) -> str:
    """Say what is out of date about a lesson's page, or return ""."""
    page = (folder or lessons_folder() / "pages") / f"{lesson.number}.md"
    if not page.is_file():
        return f"pages/{page.name} is not there"
    text = page.read_text(encoding="utf-8")
    if _stamp_line(lesson) not in text.split("\n", 1)[0]:
        return f"pages/{page.name} was made from another version"
    lost = [name for name in re.findall(r"\]\((figures/[^)]+)\)", text) if not (page.parent / name).is_file()]
    return f"pages/{page.name} shows {', '.join(lost)}, which is not there" if lost else ""


def write(page: Page, folder: Path | None = None) -> Path:
    """Write a page and its figures, and remove figures that it no longer shows."""
    folder = folder or lessons_folder() / "pages"
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for old in figures.glob(f"{page.name.removesuffix('.md')}-*.svg"):
        if old.name not in page.figures:
            old.unlink()
    for name, svg in page.figures.items():
        _write(figures / name, svg)
    _write(folder / page.name, page.text)
    return folder / page.name


def around(folder: Path | None = None) -> dict[Path, str]:
    """Return what stands around the lessons, as it should be: the course's page with its map, and the glossary."""
    folder = folder or lessons_folder()
    readme = folder / "README.md"
    return {readme: with_map(readme.read_text(encoding="utf-8")), folder / "pages" / "glossary.md": glossary_page()}


def write_around(folder: Path | None = None) -> None:
    """Write what stands around the lessons."""
    for path, text in around(folder).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, text)


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode("utf-8")))


def main(arguments: Sequence[str]) -> int:
    """Make or check pages; see the head of this file."""
    try:
        return _main(arguments)
    except LearnError as error:
        say(str(error), error=True)
        return 1


def _main(arguments: Sequence[str]) -> int:
    numbers = [word for word in arguments if not word.startswith("-")]
    chosen = [lesson_of_number(number) for number in numbers] or list(lessons())
    if "--header" in arguments:
        for lesson in chosen:
            path = lesson_path(lesson)
            _write(path, with_header(path.read_text(encoding="utf-8"), lesson))
        return 0
    late = [(lesson, reason) for lesson in chosen if (reason := stale(lesson))]
    if "--check" in arguments:
        old = [path.name for path, text in around().items() if not path.is_file() or path.read_text("utf-8") != text]
        for reason in [*(reason for _, reason in late), *(f"{name} is out of date" for name in old)]:
            say(reason)
        return 1 if late or old else 0
    write_around()
    for lesson in chosen if numbers or "--all" in arguments else [lesson for lesson, _ in late]:
        say(str(write(make(lesson)).name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
