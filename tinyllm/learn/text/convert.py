"""A lesson in other forms: one HTML file, its Markdown page with its pictures, or a notebook.

HTML and Markdown need nothing beyond the core install. A notebook is made by jupytext and run by nbclient, which come
with the optional extra: pip install "tinyllm[lessons]".
"""

from __future__ import annotations

import json
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from ...atomic import write_atomically
from ...errors import LearnError
from ..exercise import Lesson
from .cells import lesson_path, lessons_folder, parse
from .html_page import html_page
from .page import heading
from .plain_text import linkless
from .show import body, page_text

FORMS = ("html", "md", "ipynb")


def export(lesson: Lesson, form: str, target: Path | None = None, run: bool = False) -> Path:
    """Write a lesson as a file.

    Args:
        lesson: which.
        form: "html", "md" or "ipynb".
        target: the file; by default NN_name.form in the folder where one is.
        run: for a notebook: with its outputs, which takes as long as the lesson.

    Returns:
        The path of the file.

    Raises:
        LearnError: the form is unknown, the lesson has no page, or the extra is missing.
    """
    if form not in FORMS:
        raise LearnError(f"a lesson has no form {form!r}", hint=" or ".join(FORMS))
    target = target or Path(f"{lesson.number}_{lesson.name}.{form}")
    if form == "html":
        text = html_page(lesson)
    elif form == "md":
        text = by_itself(page_text(lesson))
        _figures(lesson, target.parent)
    else:
        text = json.dumps(notebook(lesson, run), indent=1, ensure_ascii=False) + "\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, lambda file: file.write(text.encode("utf-8")))
    return target


def by_itself(page: str) -> str:
    """Return a page without links to pages that would not be beside it.

    Example:
        >>> by_itself("See [logits](glossary.md#logits) and ![a curve](figures/10-1.svg).")
        'See logits and ![a curve](figures/10-1.svg).\\n'
    """
    return re.sub(r"(?<!!)\[([^\]]*)\]\((?!#)[^)\s]*\)", r"\1", body(page))


def _figures(lesson: Lesson, folder: Path) -> None:
    for figure in sorted((lessons_folder() / "pages" / "figures").glob(f"{lesson.number}-*.svg")):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(figure, folder / "figures" / figure.name)


def notebook(lesson: Lesson, run: bool = False) -> dict[str, Any]:
    """Return a lesson as a notebook (nbformat 4), the same bytes every time when it is not run.

    Raises:
        LearnError: the extra is missing, or the lesson stops with an error.
    """
    try:
        jupytext: Any = import_module("jupytext")
    except ImportError as error:
        raise LearnError(
            "a notebook is made by jupytext, which is not installed",
            hint='pip install "tinyllm[lessons]", or --html, which needs nothing',
        ) from error
    made = jupytext.reads(_plain_percent(lesson_path(lesson).read_text(encoding="utf-8")), fmt="py:percent")
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number:02d}"
        tags = cell["metadata"].get("tags", [])
        cell["metadata"] = {"tags": tags, "jupyter": {"source_hidden": True}} if "hide-input" in tags else {}
    if run:
        _execute(made)
    return json.loads(json.dumps(made))


def _plain_percent(source: str) -> str:
    """The lesson with its titles as headings of their own, and the glossary's marks as words."""
    parts = []
    for cell in parse(source):
        if cell.title:
            parts.append(_markdown_cell(heading(cell)))
        if cell.kind == "markdown":
            parts.append(_markdown_cell(linkless(cell.text)))
        else:
            tags = ' tags=["hide-input"]' if "hide-input" in cell.tags else ""
            parts.append(f"# %%{tags}\n{cell.text}")
    return "\n\n".join(parts) + "\n"


def _markdown_cell(text: str) -> str:
    return "\n".join(["# %% [markdown]", *(f"# {line}".rstrip() for line in text.split("\n"))])


def _execute(made: Any) -> None:
    try:
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as error:
        raise LearnError("a notebook is run by nbclient, which is not installed",
                         hint='pip install "tinyllm[lessons]"') from error  # fmt: skip
    try:
        NotebookClient(made, timeout=240, kernel_name="python3").execute()
    except CellExecutionError as error:
        raise LearnError(f"the notebook stops: {error.ename}: {error.evalue}") from error
