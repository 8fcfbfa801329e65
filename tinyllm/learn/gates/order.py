"""R9: nothing is used before it is taught: exercises, lessons, and the words of the glossary."""

from __future__ import annotations

import ast

from ..exercise import Lesson
from ..exercises import lessons
from ..text.cells import Cell, read
from ..text.glossary import anchor, marks, terms


def r9_order(lesson: Lesson) -> list[str]:
    """Return what a lesson uses before its time, and the words that are at home in it but not marked."""
    return [*_needs(lesson), *_words(lesson, read(lesson))]


def _needs(lesson: Lesson) -> list[str]:
    there = {found.number: {exercise.id for exercise in found.exercises} for found in lessons()}
    complaints = [f"it needs lesson {number}, which comes later" for number in lesson.needs if number >= lesson.number]
    for place, exercise in enumerate(lesson.exercises, 1):
        if exercise.id != f"{lesson.number}.{place}":
            complaints.append(f"exercise {exercise.id} stands where {lesson.number}.{place} belongs")
        for wanted in exercise.needs:
            number = wanted.split(".")[0]
            if _order(wanted) >= _order(exercise.id):
                complaints.append(f"{exercise.id} needs {wanted}, which comes later")
            elif number in there and wanted not in there[number]:
                complaints.append(f"{exercise.id} needs {wanted}, which there is not")
    return complaints


def _order(wanted: str) -> tuple[int, ...]:
    return tuple(int(part) for part in wanted.split("."))


def _words(lesson: Lesson, cells: list[Cell]) -> list[str]:
    known = {term.name: term for term in terms()}
    used = [(cell.line, name) for cell in cells for name in marks(_spoken(cell))]
    complaints = []
    for line, name in used:
        if name not in known:
            complaints.append(f"line {line}: [[{name}]] is not in the glossary")
        elif known[name].lesson > lesson.number:
            complaints.append(f"line {line}: [[{name}]] is taught in lesson {known[name].lesson}")
    marked = {name for _, name in used}
    complaints += [
        f"[[{term.name}]] is at home here, but never marked"
        for term in known.values()
        if term.lesson == lesson.number and term.name not in marked
    ]
    return complaints


def _spoken(cell: Cell) -> str:
    """A cell's Markdown, or the texts within its code."""
    if cell.kind == "markdown":
        return cell.text
    found = [node.value for node in ast.walk(ast.parse(cell.text)) if isinstance(node, ast.Constant)]
    return "\n".join(text for text in found if isinstance(text, str))


def glossary() -> list[str]:
    """Return what is wrong with the glossary itself: doubled words, and words of no lesson."""
    from ..text.course import COURSE

    names = [anchor(term.name) for term in terms()]
    complaints = [f"{name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    numbers = {entry.number for entry in COURSE}
    complaints += [f"{term.name}: no lesson {term.lesson}" for term in terms() if term.lesson not in numbers]
    return complaints
