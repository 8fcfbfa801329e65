"""Markdown as plain lines, for screens without colors: code set in, paragraphs broken to the width, no marks."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

_ITEM = re.compile(r"(?P<sign>\s*(?:[-*]|\d+\.)\s+|>\s?)(?P<text>.*)")


def plain_lines(text: str, width: int = 80) -> list[str]:
    """Return Markdown as lines of at most ``width`` characters; code and tables keep their own.

    Example:
        >>> print(*plain_lines("## Head\\n\\nA **bold**\\nword.\\n\\n```\\nx = 1\\n```\\n\\n- one\\n- two"), sep="\\n")
        == Head
        <BLANKLINE>
        A bold word.
        <BLANKLINE>
            x = 1
        <BLANKLINE>
        - one
        - two
    """
    lines: list[str] = []
    for block in _blocks(linkless(text)):
        if lines:
            lines.append("")
        lines += _drawn(block, min(width, 88) - 1)
    return lines


def _blocks(text: str) -> Iterator[list[str]]:
    """Blocks of lines, code with its fences; what empty lines part outside of code."""
    block: list[str] = []
    fence = ""
    for line in text.strip("\n").split("\n"):
        opened = re.match(r"(`{3,})", line)
        if fence:
            block.append(line)
            if opened and opened[1] == fence:
                yield block
                block, fence = [], ""
        elif opened:
            if block:
                yield block
            block, fence = [line], opened[1]
        elif line.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _drawn(block: list[str], width: int) -> list[str]:
    if block[0].startswith("```"):
        return [f"    {line}".rstrip() for line in block[1 : -1 if len(block) > 1 else None]]
    if block[0].startswith("    ") or block[0].startswith("|"):
        return block
    if block[0].startswith("#"):
        return [f"== {plain(block[0].lstrip('# '))}", *(_wrapped("", " ".join(block[1:]), width) if block[1:] else [])]
    lines: list[str] = []
    sign, held = "", ""
    for line in block:
        found = _ITEM.match(line)
        if found and (held or sign):
            lines += _wrapped(sign, held, width)
            held = ""
        if found:
            sign, held = found["sign"], found["text"]
        else:
            held = f"{held} {line.strip()}" if held else line.strip()
        if line.endswith("  ") and not found:
            lines += _wrapped(sign, held, width)
            held = ""
    return lines + (_wrapped(sign, held, width) if held or sign else [])


def _wrapped(sign: str, text: str, width: int) -> list[str]:
    later = sign if sign.startswith(">") else " " * len(sign)
    return textwrap.wrap(
        plain(text), width, initial_indent=sign, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )


def plain(text: str) -> str:
    """Take the marks of Markdown off a text, and leave its words; code keeps its backticks.

    Example:
        >>> plain("**Now** *see* the [[logits]] of [the page](x.md): `a * b * c`.")
        'Now see the logits of the page: `a * b * c`.'
    """
    return "".join(part if part.startswith("`") else _unmarked(part) for part in re.split(r"(`[^`\n]+`)", text))


def _unmarked(text: str) -> str:
    text = re.sub(r"!?\[([^\]]*)\]\([^)\s]*\)", r"\1", linkless(text))
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
    return re.sub(r"(?<![\w*])\*(?!\s)([^*\n]+?)\*(?![\w*])", r"\1", text)


def linkless(text: str) -> str:
    """Replace marks of the glossary by their words.

    Example:
        >>> linkless("[[logits|the scores]] of [[token]]s")
        'the scores of tokens'
    """
    return re.sub(r"\[\[(?:[^\]|]*\|)?([^\]|]+)\]\]", r"\1", text)
