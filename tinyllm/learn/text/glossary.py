"""The words of the course: each a sentence, a shape, and the lesson where it is at home.

``[[logits]]`` in a lesson marks a use; pages link it, terminals print the word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import LearnError, nearest

_MARK = re.compile(r"\[\[(?:(?P<term>[^\]|]+)\|)?(?P<words>[^\]|]+)\]\](?P<more>[a-z]*)")


@dataclass(frozen=True)
class Term:
    """One word.

    Attributes:
        name: as it is marked: "logits".
        sentence: what it is.
        shape: of the array that it is, in axis letters; "" where it is none.
        lesson: the number of the lesson where it is at home.
    """

    name: str
    sentence: str
    shape: str
    lesson: str


def terms() -> tuple[Term, ...]:
    """Return all terms, in the order of the alphabet."""
    from .terms import TERMS

    return tuple(sorted(TERMS, key=lambda term: term.name.lower()))


def term(name: str) -> Term:
    """Look a word up, without minding capitals or a plural's s.

    Raises:
        LearnError: it is not in the glossary.

    Example:
        >>> term("Logits").lesson
        '04'
    """
    known = {found.name.lower(): found for found in terms()}
    wanted = " ".join(name.lower().split())
    for spelled in (wanted, wanted.removesuffix("s"), wanted + "s"):
        if spelled in known:
            return known[spelled]
    close = nearest(wanted, known)
    raise LearnError(f"{name!r} is not in the glossary", hint=close or "tinyllm learn what   lists all words")


def marks(text: str) -> list[str]:
    """Return the terms that a text marks, in order.

    Example:
        >>> marks("[[logits|the scores]] of [[token]]s; `[[1, 2]]` is code")
        ['logits', 'token']
    """
    return [(found["term"] or found["words"]).strip() for found in _MARK.finditer(without_code(text))]


def linked(text: str, page: str = "glossary.md") -> str:
    """Turn the marks of a text into links to the glossary's page; code stays as it is.

    Example:
        >>> linked("[[logits|the scores]] of [[KV cache]]s, `[[1]]`")
        '[the scores](glossary.md#logits) of [KV caches](glossary.md#kv-cache), `[[1]]`'
    """

    def link(found: re.Match[str]) -> str:
        return f"[{found['words']}{found['more']}]({page}#{anchor((found['term'] or found['words']).strip())})"

    return outside_code(text, lambda part: _MARK.sub(link, part))


def anchor(name: str) -> str:
    """Return the anchor that git hosts give to a heading.

    Example:
        >>> anchor("KV cache")
        'kv-cache'
    """
    return re.sub(r"[^\w\- ]", "", name.lower()).strip().replace(" ", "-")


def glossary_page() -> str:
    """Write the glossary as a page of Markdown."""
    from ..exercises import lessons

    there = {lesson.number for lesson in lessons()}
    blocks = [
        "# Glossary",
        "[The course](../README.md)",
        "The words of the lessons. `tinyllm learn what logits` prints one of them. Axis letters: B batch, T time, "
        "S source time, C channels, H heads, D head size, V vocabulary, L layers.",
    ]
    for found in terms():
        shape = f" Shape `{found.shape}`." if found.shape else ""
        where = f"[lesson {found.lesson}]({found.lesson}.md)" if found.lesson in there else f"lesson {found.lesson}"
        blocks.append(f"## {found.name}\n\n{found.sentence}{shape} See {where}.")
    return "\n\n".join(blocks) + "\n"


# code within Markdown

_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def without_code(text: str) -> str:
    """Return a text with a blank in place of each piece of code."""
    return _CODE.sub(" ", text)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change a text everywhere but within code."""
    parts: list[str] = []
    end = 0
    for found in _CODE.finditer(text):
        parts += [change(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*parts, change(text[end:])])
