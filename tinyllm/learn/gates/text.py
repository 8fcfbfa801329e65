"""R7: what a lesson says: its form, no bare results in its prose, and no words that make a reader feel slow."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ...errors import LearnError
from ..exercise import Lesson
from ..text.cells import SECTIONS, Cell, header, lesson_path, parse
from ..text.glossary import without_code

LONGEST = 25  # lines of code in a cell
NEEDED = ("predict", "picture", "build", "payoff", "explain", "next")

_WORDS = re.compile(r"\b(simply|just|obviously|trivial|trivially|of course|easy|easily)\b", re.IGNORECASE)
_RESULT = re.compile(
    r"""(?<![\w.])(?:
        \d[\d,]*\.\d+(?:e[-+]?\d+)?\s*%?            # a decimal
      | \d[\d,]*\s?%                                # a percentage
      | \d+e[-+]?\d+                                # a power of ten
      | \d[\d,.]*\s?(?:ms|s|seconds?|minutes?|[kKMG]i?B|GFLOPs?|tokens/s)\b
      | \d[\d,.]*\s?(?:x|times)\s(?:as|faster|slower|more|less)\b
    )""",
    re.VERBOSE,
)
_ID = re.compile(r"^\d\d\.\d+$")


def r7_text(lesson: Lesson) -> list[str]:
    """Return what is wrong with the text of a lesson and of its exercises."""
    try:
        cells = parse(lesson_path(lesson).read_text(encoding="utf-8"))
        return [*form(lesson, cells), *prose(cells), *words(lesson, cells)]
    except (LearnError, SyntaxError) as error:
        return [str(error)]


def form(lesson: Lesson, cells: list[Cell]) -> list[str]:
    """Return what is wrong with the form: header, sections, the length of cells, exercises shown."""
    complaints = []
    if not cells or cells[0].text != header(lesson):
        complaints.append(
            f"the first cell is not its header: python -m tinyllm.learn.text.page --header {lesson.number}"
        )
    starts = [cell.section[0] for cell in cells if cell.section]
    complaints += [f"there is no section {word!r}" for word in NEEDED if word not in starts]
    if "picture" in starts and "build" in starts and starts.index("picture") > starts.index("build"):
        complaints.append("the first picture comes after the first exercise")
    if starts and starts[-1] != "next":
        complaints.append(f"it ends with {starts[-1]!r}, not with 'next'")
    for cell in cells:
        word, colon, _ = cell.title.partition(":")
        if colon and word.islower() and word.isalpha() and word not in SECTIONS:
            complaints.append(f"line {cell.line}: {word!r} is none of {', '.join(SECTIONS)}")
        if cell.kind == "code":
            complaints += _code(cell)
    asked = sum(1 for call in _calls(cells, "predict"))
    if asked not in (2, 3):
        complaints.append(f"it asks for {asked} predictions, not 2 or 3")
    built = [ast.literal_eval(call.args[0]) for _, call in _calls(cells, "build") if call.args]
    ids = [exercise.id for exercise in lesson.exercises]
    if built != ids:
        complaints.append(f"it builds {', '.join(built) or 'nothing'}; its exercises are {', '.join(ids)}")
    if not any(True for _ in _calls(cells, "claim")):
        complaints.append("it claims nothing")
    return complaints


def _code(cell: Cell) -> Iterator[str]:
    count = sum(1 for line in cell.text.split("\n") if line.strip())
    if count > LONGEST:
        yield f"line {cell.line}: a cell of {count} lines of code, more than {LONGEST}"
    for node in ast.parse(cell.text).body:
        string = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Expr) and not isinstance(node.value, (ast.Call, ast.Yield)) and not string:
            yield f"line {cell.line + node.lineno}: an expression alone shows nothing"


def _calls(cells: list[Cell], name: str) -> Iterator[tuple[Cell, ast.Call]]:
    """The calls of a function of lesson.py, in order."""
    for cell in cells:
        if cell.kind != "code":
            continue
        found = [node for node in ast.walk(ast.parse(cell.text)) if isinstance(node, ast.Call)]
        for call in sorted(found, key=lambda call: call.lineno):
            if isinstance(call.func, ast.Name) and call.func.id == name:
                yield cell, call


def prose(cells: list[Cell]) -> list[str]:
    """Return the results that stand in prose, where nothing keeps them true."""
    complaints = []
    for cell in cells[1:]:
        if cell.kind == "markdown":
            complaints += [f"line {cell.line}: {found!r} in prose: say() or claim() it" for found in results(cell.text)]
    for name in ("say", "fig"):
        for cell, call in _calls(cells, name):
            fixed = " ".join(_fixed_text(call))
            complaints += [
                f"line {cell.line + call.lineno}: {found!r} is typed into {name}(): let it be computed"
                for found in results(fixed)
            ]
    return complaints


def results(text: str) -> list[str]:
    """Return what looks like a result in a text: decimals, percentages, numbers with a unit; code is left out.

    Example:
        >>> results("Exercise 10.3 takes `h = 1e-5`; the error is 0.25, in 3 ms, for 99% of 7 rows.")
        ['0.25', '3 ms', '99%']
    """
    found = (match[0].strip() for match in _RESULT.finditer(without_code(text)))
    return [piece for piece in found if not _ID.match(piece)]


def _fixed_text(call: ast.Call) -> Iterator[str]:
    """The texts of a call that are typed, not computed."""
    for argument in [*call.args, *(word.value for word in call.keywords)]:
        parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
        for part in parts:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def words(lesson: Lesson, cells: list[Cell]) -> list[str]:
    """Return the words that tell a reader how quickly it should have been understood."""
    texts = {f"line {cell.line}": cell.text for cell in cells if cell.kind == "markdown"}
    for name in ("say", "predict", "fig", "claim"):
        for cell, call in _calls(cells, name):
            spoken = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]
            texts[f"line {cell.line + call.lineno}"] = " ".join(part for part in spoken if isinstance(part, str))
    texts["the record"] = " ".join([lesson.title, lesson.question, lesson.payoff])
    for exercise in lesson.exercises:
        texts[f"exercise {exercise.id}"] = " ".join(
            [*exercise.hints[:2], exercise.explain, *(mutant.sentence for mutant in exercise.mutants)]
        )
    return [f"{where}: {word!r}" for where, text in texts.items() for word in _WORDS.findall(without_code(text))]
