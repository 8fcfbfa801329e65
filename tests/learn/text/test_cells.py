"""Cutting a lesson into cells, and its header."""

from __future__ import annotations

import pytest

from tinyllm.errors import LearnError
from tinyllm.learn.exercise import Lesson
from tinyllm.learn.text.cells import header, header_cell, lesson_path, lessons_folder, parse

SOURCE = """# %% [markdown]
# # 10 Attention
#
# A paragraph.

# %%
import numpy as np

from tinyllm.learn import claim, fig, quick, say

# %% picture: who reads whom tags=["hide-input"]
x = np.arange(3)
fig(
    draw(x),
    alt="A line.",
)
for row in x:
    say(f"row {row}")

# %% [markdown] explain: why
# Because.
"""


def test_cells_have_kinds_titles_tags_and_lines():
    cells = parse(SOURCE)
    assert [(cell.kind, cell.title, cell.tags) for cell in cells] == [
        ("markdown", "", ()),
        ("code", "", ()),
        ("code", "picture: who reads whom", ("hide-input",)),
        ("markdown", "explain: why", ()),
    ]
    assert cells[0].text == "# 10 Attention\n\nA paragraph."
    assert [cell.section for cell in cells] == [None, None, ("picture", "who reads whom"), ("explain", "why")]
    lines = SOURCE.split("\n")
    assert all(lines[cell.line - 1].startswith("# %%") for cell in cells)
    assert [lines[cell.end - 1] for cell in cells] == [
        "# A paragraph.", "from tinyllm.learn import claim, fig, quick, say", '    say(f"row {row}")', "# Because.",
    ]  # fmt: skip


def test_what_only_tells_is_not_shown_but_what_computes_is():
    _, imports, picture, _ = parse(SOURCE)
    assert imports.shown == "import numpy as np"
    assert picture.shown == 'x = np.arange(3)\nfor row in x:\n    say(f"row {row}")'


def test_text_before_the_first_mark_is_a_cell_of_its_own():
    first, second = parse("x = 1\n# %%\ny = 2\n")
    assert (first.text, first.line, first.end, second.text) == ("x = 1", 0, 1, "y = 2")
    assert parse("") == []


def test_a_markdown_cell_holds_comments_only():
    with pytest.raises(LearnError, match="line 3"):
        parse("# %% [markdown]\n# fine\nx = 1\n")


def test_the_header_cell_reads_back_as_the_header():
    lesson = Lesson("03", "tensors", "Tensors", "Who owes what?", 75, "", (), ("01",), 10)
    (cell,) = parse(header_cell(lesson))
    assert cell.text == header(lesson)
    assert "Builds on lesson 01." in header(lesson)
    assert "no other lesson" in header(Lesson("00", "stack", "", "", 1, "", ()))


def test_the_lessons_are_found_and_a_missing_one_is_named():
    assert (lessons_folder() / "FORMAT.md").is_file()
    with pytest.raises(LearnError, match="99_nothing"):
        lesson_path(Lesson("99", "nothing", "", "", 1, "", ()))
