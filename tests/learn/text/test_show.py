"""A lesson's page in a terminal, and a lesson told while it runs."""

from __future__ import annotations

import io

import pytest

from tinyllm.cli.screen import Screen
from tinyllm.errors import LearnError
from tinyllm.learn.exercise import Lesson
from tinyllm.learn.text import cells, running
from tinyllm.learn.text.in_terminal import TerminalSink
from tinyllm.learn.text.show import body, for_terminal, page_text

PAGE = """<!-- made from lessons/10_x.py (abc): edit that file -->

[The course](../README.md) &middot; [Source](../10_x.py)

# 10 X

Which?

1. a
2. b

<details>
<summary>Answer</summary>

**2. b.** So.

</details>

![A curve.](figures/10-1.svg)

<details>
<summary>The code</summary>

```python
x = 1
```

</details>

<details>
<summary>Hint 1</summary>

Think.

</details>

See [logits](glossary.md#logits).

---

[The course](../README.md) &middot; [Source](../10_x.py)
"""


def test_a_terminal_gets_code_open_answers_last_and_no_hints():
    text = for_terminal(PAGE)
    assert text.startswith("# 10 X\n\nWhich?")
    order = ["(answer 1, at the end)", "*Picture:* A curve.", "x = 1", "See logits.", "## Answers", "**2. b.** So."]
    places = [text.find(piece) for piece in order]
    assert -1 not in places and places == sorted(places)
    for gone in ("<details>", "Think.", "../README.md", "<!--", "figures/", "---"):
        assert gone not in text


def test_the_body_is_the_page_without_its_frame():
    assert body(PAGE).startswith("# 10 X") and body(PAGE).endswith("[logits](glossary.md#logits).\n")


def test_a_lesson_without_a_page_says_how_to_make_it():
    with pytest.raises(LearnError, match=r"tinyllm\.learn\.text\.page 99"):
        page_text(Lesson("99", "nothing", "", "", 1, "", ()))


def test_text_stands_before_what_it_introduces(tmp_path, monkeypatch):
    path = tmp_path / "99_test.py"
    path.write_text(
        "# %% [markdown]\n# First.\n\n# %% payoff: it adds\nfrom tinyllm.learn import claim, say\n"
        "claim('one', 1, near=1)\n\n# %% [markdown]\n# Second.\n\n# %%\nsay('third')\n\n# %% [markdown]\n# Last.\n"
    )
    monkeypatch.setattr(running, "lesson_path", lambda lesson: path)
    monkeypatch.setattr(running, "read", lambda lesson: cells.parse(path.read_text()))
    sink = TerminalSink(Screen(io.StringIO(), True, True, 80))
    running.run_lesson(Lesson("99", "test", "", "", 1, "", ()), sink)
    text = sink.screen.stream.getvalue()
    order = ["First.", "Payoff: it adds", "claim  one: 1", "Second.", "third", "Last."]
    places = [text.find(piece) for piece in order]
    assert -1 not in places and places == sorted(places)
