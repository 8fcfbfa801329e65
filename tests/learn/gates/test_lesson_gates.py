"""R7, R9, R10, R12 and R6: each gate lets a good lesson through and names what is wrong with a bad one."""

from __future__ import annotations

import dataclasses

import pytest

from tinyllm.learn.exercise import Lesson
from tinyllm.learn.exercises import exercise
from tinyllm.learn.gates import exports, order, running, text
from tinyllm.learn.text import glossary
from tinyllm.learn.text.cells import header_cell, parse

LESSON = Lesson("10", "attention", "Attention", "Who reads whom?", 75, "it reads", (exercise("10.1"),), ("03",), 10)
GOOD = (
    header_cell(LESSON)
    + """
# %%
from tinyllm.learn import build, claim, fig, predict, say

# %% predict: one
predict("Which?", ["a", "b"], answer=0, because="So.")

# %% predict: two
predict("Which?", ["a", "b"], answer=0, because="So.")

# %% picture: a curve
fig("x.svg", alt="A curve.")

# %% build: the mask
build("10.1")

# %% payoff: it adds
x = 2
claim("x", x, near=2)
say(f"It is {x / 3:.2f}.")

# %% [markdown] explain: why
# A step of `h = 1e-5`, and exercise 10.1 of 7.

# %% [markdown] next: on
# Lesson 11.
"""
)


def complaints(source: str, lesson: Lesson = LESSON) -> list[str]:
    cells = parse(source)
    return [*text.form(lesson, cells), *text.prose(cells), *text.words(lesson, cells)]


def test_a_good_lesson_passes():
    assert complaints(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("# 75 minutes.", "# 74 minutes.", "not its header"),
        ("# %% predict: two\n", "# %% guess: two\n", "'guess' is none of"),
        ('# %% predict: two\npredict("Which?", ["a", "b"], answer=0, because="So.")\n', "", "asks for 1 predictions"),
        ("# %% payoff: it adds", "# %% it adds", "no section 'payoff'"),
        ("# %% [markdown] next: on\n# Lesson 11.\n", "", "no section 'next'"),
        ("# %% [markdown] explain: why", "# %% [markdown] next: why", "no section 'explain'"),
        ('build("10.1")', "x = 1", "builds nothing"),
        ('build("10.1")', 'build("10.2")', "builds 10.2; its exercises are 10.1"),
        ('claim("x", x, near=2)\n', "", "claims nothing"),
        ("# Lesson 11.", "# It reaches 0.998 of them.", "'0.998' in prose"),
        ("# Lesson 11.", "# It reaches 99% of them.", "'99%' in prose"),
        ("# Lesson 11.", "# It takes 30 ms.", "'30 ms' in prose"),
        ("# Lesson 11.", "# It is 3 times faster.", "'3 times faster' in prose"),
        ("# Lesson 11.", "# The error is 2e-10.", "'2e-10' in prose"),
        ('f"It is {x / 3:.2f}."', '"It is 0.67."', "'0.67' is typed into say()"),
        ('alt="A curve."', 'alt="A curve down to 1.52."', "'1.52' is typed into fig()"),
        ("# Lesson 11.", "# Simply read on.", "'Simply'"),
        ("# Lesson 11.", "# It is just a sum.", "'just'"),
        ("# Lesson 11.", "# Of course it is.", "'Of course'"),
        ('because="So.")\n\n# %% pic', 'because="Obviously.")\n\n# %% pic', "'Obviously'"),
        ("x = 2\n", "x = 2\nx\n", "alone shows nothing"),
        ("x = 2\n", "x = 2\n" * 30, "more than 25"),
    ],
)
def test_each_fault_is_named(old, new, complaint):
    assert old in GOOD
    found = complaints(GOOD.replace(old, new, 1))
    assert any(complaint in one for one in found), found


def test_a_picture_comes_before_the_first_exercise():
    later = GOOD.replace('# %% build: the mask\nbuild("10.1")\n\n', "").replace(
        "# %% picture", '# %% build: the mask\nbuild("10.1")\n\n# %% picture'
    )
    assert complaints(later) == ["the first picture comes after the first exercise"]


def test_records_are_read_for_words_too():
    one = dataclasses.replace(exercise("10.1"), explain="It is trivial.")
    found = complaints(GOOD, dataclasses.replace(LESSON, exercises=(one,)))
    assert found == ["exercise 10.1: 'trivial'"]


@pytest.mark.parametrize("fine", ["lesson 10.3", "`0.25`", "7 of 26 letters", "GPT-2", "(3, 4)", "O(n^2)", "x1.5y"])
def test_what_is_no_result_may_stand_in_prose(fine):
    assert text.results(fine) == []


# order


def the_order(monkeypatch, source, lesson=LESSON):
    monkeypatch.setattr(order, "read", lambda _: parse(source))
    return order.r9_order(lesson)


def test_words_must_be_known_and_taught_before(monkeypatch):
    terms = (glossary.Term("key", "K.", "", "10"), glossary.Term("KV cache", "C.", "", "15"))
    monkeypatch.setattr(order, "terms", lambda: terms)
    good = GOOD.replace("# Lesson 11.", "# The [[key]]s.")
    assert the_order(monkeypatch, good) == []
    assert the_order(monkeypatch, GOOD) == ["[[key]] is at home here, but never marked"]
    (late,) = the_order(monkeypatch, good.replace('because="So."', 'because="A [[KV cache]]."', 1))
    assert "taught in lesson 15" in late
    (unknown,) = the_order(monkeypatch, good.replace("Lesson", "[[foo]]").replace("[[key]]s", "[[key]] and [[foo]]"))
    assert "[[foo]] is not in the glossary" in unknown


def test_exercises_and_lessons_need_earlier_ones(monkeypatch):
    monkeypatch.setattr(order, "terms", tuple)
    one = exercise("10.1")
    for change, complaint in (
        ({"exercises": (dataclasses.replace(one, needs=("10.2",)),)}, "10.1 needs 10.2, which comes later"),
        ({"exercises": (dataclasses.replace(one, needs=("03.9",)),)}, "which there is not"),
        ({"exercises": (dataclasses.replace(one, id="10.2"),)}, "stands where 10.1 belongs"),
        ({"needs": ("12",)}, "needs lesson 12"),
    ):
        found = the_order(monkeypatch, GOOD, dataclasses.replace(LESSON, **change))
        assert len(found) == 1 and complaint in found[0]


def test_the_glossary_is_in_order():
    assert order.glossary() == []


# exports


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://example.org/a.js"></script>',
        "<link href='style.css'>",
        '<svg><image xlink:href="x.png"/></svg>',
        "<style>p{background:url(https://example.org/a.png)}</style>",
        "<svg><script>1</script></svg>",
    ],
)
def test_what_comes_from_elsewhere_is_found(markup):
    assert exports.outside(markup)


def test_what_is_inside_is_fine():
    assert (
        exports.outside('<svg xmlns="http://www.w3.org/2000/svg"><use xlink:href="#a"/><p fill="url(#b)"/></svg>') == []
    )


def test_a_page_whose_links_lead_nowhere(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "glossary.md").write_text("# Glossary\n\n## KV cache\n\nIt keeps.\n")
    (tmp_path / "10.md").write_text(
        "[a](nowhere.md) [b](https://example.org) [c](glossary.md#kv-cache) [d](glossary.md#gone)\n\n"
        "![](figures/10-1.svg)\n"
    )
    assert exports.page(LESSON, tmp_path) == [
        "a picture has no words: figures/10-1.svg",
        "a link leads nowhere: nowhere.md",
        "a link leads out: https://example.org",
        "the glossary's page has no gone",
        "a link leads nowhere: figures/10-1.svg",
    ]


# running


def test_a_run_that_fails_or_claims_nothing_is_named(tmp_path, monkeypatch):
    path = tmp_path / "10_attention.py"
    monkeypatch.setattr(running, "lesson_path", lambda _: path)
    path.write_text("from tinyllm.learn import claim\nclaim('x', 1, above=2)\n")
    assert [one.split(":")[0] for one in running.r6_runs(LESSON)] == ["with Numba", "without Numba"]
    path.write_text("x = 1\n")
    assert running.r6_runs(LESSON) == ["with Numba: it claims nothing", "without Numba: it claims nothing"]
    path.write_text("import time\nfrom tinyllm.learn import claim\nclaim('x', True)\ntime.sleep(0.2)\n")
    assert running.r6_runs(LESSON) == []
    assert "more than 0.1" in running.r6_runs(LESSON, budget=0.1)[0]
