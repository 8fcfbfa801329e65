"""A lesson's file, cut into its cells, and the header that every lesson opens with.

The form is py:percent (lessons/FORMAT.md): a line ``# %% title [markdown] tags=["hide-input"]`` opens a cell, and the
lines of a Markdown cell are comments. Editors, Jupyter and jupytext know it; this file needs none of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import LearnError
from ..exercise import Lesson

SECTIONS = ("predict", "picture", "build", "check", "payoff", "explain", "next")
TELLING = ("build", "claim", "fig", "predict", "say")  # calls that show something: a page shows the result instead

_OPENS = re.compile(r"# %%(?P<rest>( .*)?)$")
_TAGS = re.compile(r"\btags=\[(?P<tags>[^\]]*)\]")


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        kind: "markdown" or "code".
        title: what stands behind ``# %%``; "" for none.
        tags: of the cell: "hide-input".
        text: its Markdown or its code.
        line: the number of its first line, that of ``# %%``.
        end: the number of its last line.
    """

    kind: str
    title: str
    tags: tuple[str, ...]
    text: str
    line: int
    end: int

    @property
    def section(self) -> tuple[str, str] | None:
        """("payoff", "your attention reverses sequences") for a title that starts a section, otherwise None."""
        word, _, rest = self.title.partition(":")
        return (word, rest.strip()) if word in SECTIONS else None

    @property
    def hidden(self) -> bool:
        """Is its code folded, below what it shows?"""
        return "hide-input" in self.tags

    @property
    def imports(self) -> bool:
        """Does it only import?"""
        return all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.parse(self.text).body)

    @property
    def shown(self) -> str:
        """The code without the calls that only tell, and without the import of their names.

        Example:
            >>> Cell("code", "", (), "x = 2\\nsay(f'{x}')\\nclaim('x', x, above=1)", 1, 3).shown
            'x = 2'
        """
        lines = self.text.split("\n")
        for node in reversed(ast.parse(self.text).body):
            if _tells(node):
                del lines[node.lineno - 1 : node.end_lineno]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _tells(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return isinstance(node.value.func, ast.Name) and node.value.func.id in TELLING
    if isinstance(node, ast.ImportFrom) and node.module == "tinyllm.learn":
        return {alias.name for alias in node.names} <= {*TELLING, "quick"}
    return False


def parse(source: str) -> list[Cell]:
    r"""Cut a lesson's source into cells; what stands before the first ``# %%`` is a code cell of its own.

    Raises:
        LearnError: a Markdown cell has a line that is no comment.

    Example:
        >>> [(cell.kind, cell.title, cell.text) for cell in parse("# %% [markdown]\n# Hello\n\n# %% one\nx = 1\n")]
        [('markdown', '', 'Hello'), ('code', 'one', 'x = 1')]
    """
    lines = source.split("\n")
    marks = [number for number, line in enumerate(lines) if _OPENS.match(line)]
    if "".join(lines[: marks[0] if marks else len(lines)]).strip():
        marks.insert(0, -1)
    ends = [*marks[1:], len(lines)][: len(marks)]
    return [_cell(lines, begin, end) for begin, end in zip(marks, ends, strict=True)]


def _cell(lines: Sequence[str], begin: int, end: int) -> Cell:
    opened = _OPENS.match(lines[begin]) if begin >= 0 else None
    rest = opened["rest"].strip() if opened else ""
    found = _TAGS.search(rest)
    tags = tuple(re.findall(r'"([^"]+)"', found["tags"])) if found else ()
    rest = _TAGS.sub("", rest).strip()
    body = lines[begin + 1 : end]
    while body and not body[-1].strip():
        body = body[:-1]
    last = begin + 1 + len(body)
    if "[markdown]" not in rest:
        return Cell("code", rest, tags, "\n".join(body).strip("\n"), begin + 1, last)
    for number, line in enumerate(body, begin + 2):
        if line.strip() and not line.startswith("#"):
            raise LearnError(
                f"line {number}: a Markdown cell holds a line that is no comment", hint='start it with "# "'
            )
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body)
    return Cell("markdown", rest.replace("[markdown]", "").strip(), tags, text.strip("\n"), begin + 1, last)


def header(lesson: Lesson) -> str:
    """Write what a lesson opens with, from its record.

    Example:
        >>> print(header(Lesson("10", "attention", "Attention", "Who reads whom?", 75, "", (), ("03", "04"), 30)))
        # 10 Attention
        <BLANKLINE>
        **Who reads whom?**
        <BLANKLINE>
        75 minutes. Builds on lessons 03 and 04. Any computer will do. The payoff takes 30 seconds.
    """
    if not lesson.needs:
        needs = "Builds on no other lesson."
    elif len(lesson.needs) == 1:
        needs = f"Builds on lesson {lesson.needs[0]}."
    else:
        needs = f"Builds on lessons {', '.join(lesson.needs[:-1])} and {lesson.needs[-1]}."
    facts = f"{lesson.minutes} minutes. {needs} Any computer will do. The payoff takes {lesson.seconds} seconds."
    return f"# {lesson.number} {lesson.title}\n\n**{lesson.question}**\n\n{facts}"


def with_header(source: str, lesson: Lesson) -> str:
    """Return a lesson's source with its header in place of the first Markdown cell.

    Example:
        >>> lesson = Lesson("10", "attention", "Attention", "Who reads whom?", 75, "", ())
        >>> with_header("# %% [markdown]\\n# old\\n\\n# %%\\nx = 1\\n", lesson).split("\\n")[1]
        '# # 10 Attention'
    """
    lines = source.split("\n")
    first = parse(source)[0]
    return header_cell(lesson) + "\n".join(lines[first.end :])


def header_cell(lesson: Lesson) -> str:
    """Write the header as the first cell of a lesson's file."""
    comments = [f"# {line}".rstrip() for line in header(lesson).split("\n")]
    return "\n".join(["# %% [markdown]", *comments]) + "\n"


def lessons_folder() -> Path:
    """Return the folder of the lessons: beside the package in a checkout, ``tinyllm_lessons`` after an install.

    Raises:
        LearnError: it is in neither place.
    """
    beside = Path(__file__).parents[3]
    for folder in (beside / "lessons", beside / "tinyllm_lessons"):
        if (folder / "FORMAT.md").is_file():
            return folder
    raise LearnError("the lessons are not here", hint="install tinyllm again, or work in a checkout")


def lesson_path(lesson: Lesson) -> Path:
    """Return the path of a lesson's text.

    Raises:
        LearnError: it is not there.
    """
    path = lessons_folder() / f"{lesson.number}_{lesson.name}.py"
    if not path.is_file():
        raise LearnError(f"lesson {lesson.number} has no text: {path.name} is not there")
    return path


def read(lesson: Lesson) -> list[Cell]:
    """Return the cells of a lesson's text."""
    return parse(lesson_path(lesson).read_text(encoding="utf-8"))
