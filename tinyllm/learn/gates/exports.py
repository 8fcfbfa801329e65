"""R10: a lesson's page is up to date, and its exports are valid and need nothing from elsewhere."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ...errors import LearnError
from ..exercise import Lesson
from ..text.cells import lessons_folder
from ..text.convert import notebook
from ..text.html_page import html_page
from ..text.page import stale

HEAVIEST = 3 * 2**20  # bytes of a page with its pictures, and of an HTML file

_OUTSIDE = re.compile(
    r"""(?:src|href|xlink:href|action|data)\s*=\s*["'](?!data:|#)([^"']*)["']|url\((?!#|['"]?data:)([^)]*)\)"""
)


def r10_exports(lesson: Lesson) -> list[str]:
    """Return what is wrong with a lesson's page, its HTML file and its notebook."""
    late = stale(lesson)
    if late:
        return [late]
    try:
        return [*page(lesson), *html(lesson), *valid_notebook(lesson)]
    except LearnError as error:
        return [str(error)]


def page(lesson: Lesson, folder: Path | None = None) -> list[str]:
    """Return what is wrong with a page: pictures without words, links that lead nowhere, too many bytes."""
    folder = folder or lessons_folder() / "pages"
    text = (folder / f"{lesson.number}.md").read_text(encoding="utf-8")
    complaints = [f"a picture has no words: {name}" for name in re.findall(r"!\[\s*\]\(([^)]*)\)", text)]
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        name, _, part = target.partition("#")
        if re.match(r"[a-z]+:", target):
            complaints.append(f"a link leads out: {target}")
        elif name and not (folder / name).is_file():
            complaints.append(f"a link leads nowhere: {target}")
        elif name == "glossary.md" and part and not _has_heading(folder / name, part):
            complaints.append(f"the glossary's page has no {part}")
    figures = sorted((folder / "figures").glob(f"{lesson.number}-*.svg"))
    size = len(text.encode()) + sum(figure.stat().st_size for figure in figures)
    if size > HEAVIEST:
        complaints.append(f"the page has {size:,} bytes, more than {HEAVIEST:,}")
    for figure in figures:
        complaints += [f"{figure.name}: {found}" for found in outside(figure.read_text(encoding="utf-8"))]
    return complaints


def _has_heading(path: Path, wanted: str) -> bool:
    from ..text.glossary import anchor

    headings = re.findall(r"(?m)^#+ (.*)$", path.read_text(encoding="utf-8"))
    return wanted in {anchor(heading) for heading in headings}


def outside(markup: str) -> list[str]:
    """Return what a piece of HTML or SVG would load from elsewhere, and scripts within an SVG.

    Example:
        >>> outside('<img src="data:image/png;base64,AA"> <img src="https://example.org/x.png">')
        ['loads https://example.org/x.png']
    """
    found = [f"loads {first or second}" for first, second in _OUTSIDE.findall(markup) if first or second]
    if markup.lstrip().startswith("<svg") and "<script" in markup:
        found.append("holds a script")
    return found


def html(lesson: Lesson) -> list[str]:
    """Return what is wrong with a lesson's HTML file."""
    made = html_page(lesson)
    complaints = [
        f"the HTML file {found}" for found in outside(re.sub(r"<(pre|code)>.*?</\1>", "", made, flags=re.DOTALL))
    ]
    complaints += [f"the HTML file has no picture {name}" for name in re.findall(r'src="(figures/[^"]*)"', made)]
    if len(made) > HEAVIEST:
        complaints.append(f"the HTML file has {len(made):,} bytes, more than {HEAVIEST:,}")
    return complaints


def valid_notebook(lesson: Lesson) -> list[str]:
    """Return what is wrong with a lesson's notebook; nothing where the extra is not installed."""
    if find_spec("jupytext") is None or find_spec("nbformat") is None:
        return []
    nbformat = import_module("nbformat")
    made = notebook(lesson)
    try:
        nbformat.validate(nbformat.from_dict(made))
    except nbformat.ValidationError as error:
        return [f"the notebook is not valid: {str(error).splitlines()[0]}"]
    return []
