"""``tinyllm learn plot``: yours beside the reference, where the check found them to differ."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..parser import Parser
from ..screen import Screen

if TYPE_CHECKING:
    from ...learn.exercise import Exercise
    from ...learn.verdict import Verdict
    from ...learn.work.session import Session

EXAMPLES = """\
  tinyllm learn plot                 of the exercise you are at
  tinyllm learn plot 10.3 --out wrong.svg
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("exercise", metavar="EXERCISE", nargs="?", help="without it, the next open one")
    parser.add_argument("--out", metavar="FILE", help="a .png, .svg or .pdf; by default my/pictures/ID.png")


def run(args: argparse.Namespace) -> int:
    """Check the exercise and draw; return 1 if there is nothing to draw."""
    from ...learn.loop.worker import Worker
    from ...learn.work.session import Session

    screen, session = Screen.of(), Session.here()
    exercise = session.chosen(args.exercise)
    with Worker(session.workspace.folder) as worker:
        verdict = worker.check(exercise.id)
    if verdict.picture is None:
        why = "it has passed" if verdict.passed else verdict.because or "it is still to be written"
        screen.line(f"there is nothing to draw for {exercise.id}: {why}")
        return int(not verdict.passed)
    screen.line(draw(exercise, verdict, Path(args.out) if args.out else folder_of(session) / f"{exercise.id}.png"))
    return 0


def folder_of(session: Session) -> Path:
    """Return where a learner's pictures go."""
    return Path(session.workspace.folder) / "pictures"


def draw(exercise: Exercise, verdict: Verdict, path: Path) -> str:
    """Draw what a verdict holds into a file; return a line that says where it is."""
    import numpy as np

    from ...learn.work.session import title
    from ...viz import Beside, draw_beside, save

    picture = verdict.picture or {}
    yours, reference = (np.asarray(picture[key], dtype=float) for key in ("yours", "reference"))
    name = f"{exercise.id} {title(exercise)}"
    data = Beside(yours, reference, str(picture.get("name", "")), f"{name}: yours beside the reference")
    return f"picture: {save(draw_beside(data), path)}"
