"""A lesson's page: its blocks in order, its pictures, its stamp, and the glossary beside it."""

from __future__ import annotations

import pytest

from tinyllm import viz
from tinyllm.errors import LearnError
from tinyllm.learn.exercise import Lesson
from tinyllm.learn.exercises import exercise
from tinyllm.learn.text import page as pages
from tinyllm.learn.text.cells import header, parse, with_header
from tinyllm.learn.text.glossary import glossary_page, linked, marks, term, terms
from tinyllm.learn.text.page import compose, stale, write
from tinyllm.learn.text.recording import record

LESSON = Lesson("10", "attention", "Attention", "Who reads whom?", 75, "", (exercise("10.1"),), ("03",), 10)
SOURCE = """
# %% [markdown]
# old header

# %%
import numpy as np

from tinyllm import viz
from tinyllm.learn import build, claim, fig, predict, say

# %% predict: how many
predict("How many [[logits]]?", ["one", "two"], answer=1, because="Two.")

# %% picture: a curve tags=["hide-input"]
curve = viz.LossCurve([0, 1], [2.0, 1.0])
fig(viz.draw_loss(curve), alt="A curve [that] falls.")

# %% build: the mask
build("10.1")

# %% a small caption
x = np.arange(3)
print(x)
claim("sum", x.sum(), near=3)
claim("it is so", True)
say(f"The sum is **{x.sum()}**.")

# %% [markdown] next: on
# See [[softmax|what follows]], not `[[code]]`.
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The lesson's path and its page, from one run."""
    path = tmp_path_factory.mktemp("lesson") / "10_attention.py"
    path.write_text(with_header(SOURCE.lstrip(), LESSON), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "lesson_path", lambda lesson: path)
        yield path, compose(LESSON, parse(path.read_text(encoding="utf-8")), record(path))


def test_the_blocks_of_a_page_stand_in_order(made):
    _, page = made
    wanted = [
        "<!-- made from lessons/10_attention.py (", "[The course](../README.md)", header(LESSON).split("\n")[0],
        "<summary>What it imports</summary>", "## Predict: how many", "How many [logits](glossary.md#logits)?",
        "1. one\n2. two", "<summary>Answer</summary>", "**2. two.** Two.", "## Picture: a curve",
        "![A curve (that) falls.](figures/10-1.svg)", "<summary>The code</summary>", "## Build: the mask",
        "**Exercise 10.1: `causal_mask`**", "def causal_mask(T, S):", "<summary>Hint 1</summary>",
        "*a small caption*", "x = np.arange(3)\nprint(x)", "```text\n[0 1 2]\n```",
        "> **Holds** sum: 3 (exactly 3)  \n> **Holds** it is so", "The sum is **3**.", "## Next: on",
        "See [what follows](glossary.md#softmax), not `[[code]]`.",
    ]  # fmt: skip
    places = [page.text.find(piece) for piece in wanted]
    assert -1 not in places, wanted[places.index(-1)]
    assert places == sorted(places) and page.text.rstrip().endswith("[Glossary](glossary.md)")
    for hidden in ("claim(", "fig(", "predict(", "build(", "say(", "tinyllm.learn import"):
        assert hidden not in page.text
    assert "The solution" not in page.text and list(page.figures) == ["10-1.svg"]


def test_a_page_is_the_same_bytes_every_time(made):
    path, page = made
    again = compose(LESSON, parse(path.read_text(encoding="utf-8")), record(path))
    assert (again.text, again.figures) == (page.text, page.figures)


def test_a_page_knows_what_it_was_made_from(made, tmp_path):
    path, page = made
    assert stale(LESSON, tmp_path) == "pages/10.md is not there"
    write(page, tmp_path)
    (tmp_path / "figures" / "10-2.svg").write_text("old")
    assert write(page, tmp_path) == tmp_path / "10.md" and stale(LESSON, tmp_path) == ""
    assert [figure.name for figure in (tmp_path / "figures").iterdir()] == ["10-1.svg"]
    source = path.read_text(encoding="utf-8")
    path.write_text(source + "\n# %%\ny = 1\n", encoding="utf-8")
    assert "another version" in stale(LESSON, tmp_path)
    path.write_text(source, encoding="utf-8")
    (tmp_path / "figures" / "10-1.svg").unlink()
    assert "figures/10-1.svg" in stale(LESSON, tmp_path)


def test_a_lesson_that_stops_has_no_page(tmp_path, monkeypatch):
    path = tmp_path / "10_attention.py"
    path.write_text("x = 1 / 0\n")
    monkeypatch.setattr(pages, "lesson_path", lambda lesson: path)
    with pytest.raises(LearnError, match=r"no page: 10_attention\.py, line 1: Zero"):
        pages.make(LESSON)


def test_the_command_reports_trouble_in_one_line(capsys):
    assert pages.main(["--check", "77"]) == 1
    assert capsys.readouterr().err.startswith("E-LEARN there is no lesson 77")


# glossary


def test_every_term_is_found_with_and_without_capitals_and_plurals():
    for found in terms():
        assert term(found.name) == term(found.name.upper()) == term(found.name + "s") == found
        assert found.sentence.endswith(".") and f"## {found.name}\n" in glossary_page()
    with pytest.raises(LearnError, match="logits"):
        term("logitz")


def test_marks_are_links_outside_of_code_only():
    text = "A [[key|found by]] and [[token]]s.\n\n```python\nx[[0]]\n```\n"
    assert marks(text) == ["key", "token"]
    assert linked(text).startswith("A [found by](glossary.md#key) and [tokens](glossary.md#token).")
    assert "x[[0]]" in linked(text)


def test_a_drawn_page_opens_by_itself(made, tmp_path):
    from tinyllm.learn.gates.exports import outside
    from tinyllm.learn.text.html_page import one_file

    _, page = made
    write(page, tmp_path)
    html = one_file("10 Attention", page.text, tmp_path)
    assert outside(html.replace("<pre>", "")) == [] and 'src="data:image/svg+xml;base64,' in html
    assert '<h2 id="predict-how-many">' in html and 'href="#word-logits"' in html and 'id="word-logits"' in html
    assert "../README.md" not in html and "<!--" not in html
    assert html == one_file("10 Attention", page.text, tmp_path)


def test_one_file_runs_its_own_script_only(made, tmp_path):
    import base64
    import hashlib
    import re

    from tinyllm.learn.text.html_page import one_file

    _, page = made
    write(page, tmp_path)
    html = one_file("x", page.text.replace("falls.", "<script>alert(1)</script>"), tmp_path)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src 'none'")
    script = html[html.rindex("<script>") + 8 : html.rindex("</script>")]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy


def test_viz_alone_draws_what_the_page_shows(made, tmp_path):
    _, page = made
    drawn = viz.save(viz.draw_loss(viz.LossCurve([0, 1], [2.0, 1.0])), tmp_path / "x.svg").read_text()
    assert drawn.count("<path") == page.figures["10-1.svg"].count("<path")
