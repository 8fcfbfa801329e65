"""R12: a lesson can be read on any console: no escape codes without colors, and ASCII where there is nothing else."""

from __future__ import annotations

import io

from ...cli.screen import Screen
from ..exercise import Lesson
from ..text.show import for_terminal, page_text, show


def r12_console(lesson: Lesson) -> list[str]:
    """Return what a console without colors, in ASCII only, would not show of a lesson."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    screen = Screen.of(stream, {"NO_COLOR": "1"})
    show(lesson, screen)
    shown = raw.getvalue()
    complaints = []
    if b"\x1b" in shown:
        complaints.append("escape codes, although there are no colors")
    lost = {sign for sign in for_terminal(page_text(lesson)) if not sign.isascii() and "?" in screen.fit(sign)}
    if lost:
        complaints.append(f"signs with nothing to stand in for them in ASCII: {' '.join(sorted(lost))}")
    return complaints
