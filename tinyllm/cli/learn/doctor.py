"""``tinyllm learn doctor``: what keeps the lessons from running well, one fix per line."""

from __future__ import annotations

import argparse
import ast
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..doctor import Finding, writable
from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn doctor
"""
_SLOW = 2.0  # seconds for a verdict that call for a word


def add_arguments(parser: Parser) -> None:
    """Declare nothing."""


def run(args: argparse.Namespace) -> int:
    """Look at the folder, the files, the lessons and how soon a check starts; return 1 if something is to be mended."""
    from ...learn.work.session import Session

    screen, session = Screen.of(), Session.here()
    folder = Path(session.workspace.folder)
    worst = 0
    for finding in (*place(folder), *files(folder), *course(), *speed(folder), *terminal(screen)):
        worst = max(worst, int(finding.state == "fix"))
        style = {"ok": "", "note": "yellow", "fix": "bold red"}[finding.state]
        fix = f". Fix: {finding.fix}" if finding.fix else ""
        screen.line(f"{finding.state.upper():<5}{finding.text}{fix}", style=style)
    return worst


def place(folder: Path) -> Iterator[Finding]:
    """Is there a folder, and may it be written?"""
    if not folder.exists():
        yield Finding("note", f"nothing has been begun: {folder} is not there", "tinyllm learn start")
    if not writable(folder):
        yield Finding("fix", f"{folder} cannot be written", "cd to a folder of yours, or TINYLLM_MY=another folder")
    elif folder.exists():
        yield Finding("ok", f"your files are in {folder}")


def files(folder: Path) -> Iterator[Finding]:
    """Can every file be read as Python?"""
    for path in sorted(folder.glob("*.py")):
        try:
            ast.parse(path.read_bytes(), str(path))
        except SyntaxError as error:
            yield Finding("note", f"{path.name}:{error.lineno}: {error.msg}", "correct that line")
        except (ValueError, OSError) as error:
            yield Finding("fix", f"{path.name}: {error}", f"tinyllm learn undo {path.stem[1:3]}")


def course() -> Iterator[Finding]:
    """Are the lessons there?"""
    from ...learn.exercises import exercises, lessons

    if lessons():
        yield Finding("ok", f"{len(lessons())} lessons with {len(exercises())} exercises")
    else:
        yield Finding("fix", "there are no lessons", "pip install --force-reinstall tinyllm")


def speed(folder: Path) -> Iterator[Finding]:
    """Does a process to check in start, and soon?"""
    from ...learn.loop.worker import Worker

    began = time.perf_counter()
    with Worker(folder, "tinyllm.cli.learn.doctor:nothing") as worker:
        verdict = worker.check("00.0")
    seconds = time.perf_counter() - began
    if not verdict.passed:
        yield Finding("fix", f"checks cannot run: {verdict.because}", "tinyllm doctor")
    elif seconds > _SLOW:
        yield Finding("note", f"the first verdict takes {seconds:.1f} s", "the ones after it are sooner")
    else:
        yield Finding("ok", f"a process to check in is ready after {seconds:.1f} s")


def nothing(exercise: str, folder: Path) -> tuple[object, str]:
    """Find nothing wrong: what ``speed`` has checked."""
    from ...learn.verdict import Verdict

    return Verdict(exercise, "passed"), ""


def terminal(screen: Screen) -> Iterator[Finding]:
    """Can the loop be shown?"""
    if not sys.stdin.isatty() or not screen.stream.isatty():
        yield Finding("note", "this is no terminal: tinyllm learn checks once and ends", "run it in a terminal")
    elif screen.plain:
        yield Finding("ok", "plain lines: the loop takes words and numbers, each with Enter")
    else:
        yield Finding("ok", f"terminal: {screen.width} columns")
