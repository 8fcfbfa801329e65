"""A lesson's text in a terminal: its page, with the answers to its questions at the end, as in a book."""

from __future__ import annotations

import re

from ...cli.screen import Screen
from ...errors import LearnError
from ..exercise import Lesson
from .cells import lessons_folder
from .in_terminal import markdown

_FOLDED = re.compile(r"<details>\n<summary>(?P<title>.*?)</summary>\n\n(?P<text>.*?)\n\n</details>\n*", re.DOTALL)
_PICTURE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<file>[^)]*)\)")
_LINK = re.compile(r"\[(?P<words>[^\]]*)\]\((?!http)[^)]*\)")


def show(lesson: Lesson, screen: Screen | None = None) -> None:
    """Print a lesson's page.

    Raises:
        LearnError: the lesson has no page.
    """
    markdown(screen or Screen.of(), for_terminal(page_text(lesson)))


def page_text(lesson: Lesson) -> str:
    """Return a lesson's page as it was made.

    Raises:
        LearnError: it was not made yet.
    """
    path = lessons_folder() / "pages" / f"{lesson.number}.md"
    if not path.is_file():
        raise LearnError(
            f"lesson {lesson.number} has no page yet", hint=f"python -m tinyllm.learn.text.page {lesson.number}"
        )
    return path.read_text(encoding="utf-8")


def body(page: str) -> str:
    """Return a page without its stamp and the links at its top and bottom."""
    text = re.sub(r"<!--.*?-->\s*", "", page, count=1, flags=re.DOTALL)
    lines = [line for line in text.split("\n") if "[The course](../README.md)" not in line]
    return "\n".join(lines).strip().removesuffix("---").strip() + "\n"


def for_terminal(page: str) -> str:
    """Turn a page into Markdown that needs no clicks: folded code stands open, answers move to the end, hints wait.

    Example:
        >>> print(for_terminal("![A curve.](figures/1.svg), see [logits](glossary.md#logits)"))
        *Picture:* A curve., see logits
    """
    answers: list[str] = []

    def unfold(found: re.Match[str]) -> str:
        if found["title"] in ("The code", "What it imports"):
            return found["text"] + "\n\n"
        if found["title"] == "Answer":
            answers.append(found["text"])
            return f"*(answer {len(answers)}, at the end)*\n\n"
        return ""

    text = _FOLDED.sub(unfold, body(page))
    text = _PICTURE.sub(lambda found: f"*Picture:* {found['alt']}", text)
    text = _LINK.sub(lambda found: found["words"], text).rstrip()
    if answers:
        listed = "\n\n".join(f"Answer {number}: {answer}" for number, answer in enumerate(answers, 1))
        text += f"\n\n## Answers\n\n{listed}"
    return text
