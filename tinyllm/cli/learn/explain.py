"""``tinyllm learn explain``: why a solution works, or what an error code means."""

from __future__ import annotations

import argparse

from ..parser import Parser
from ..screen import Screen

EXAMPLES = """\
  tinyllm learn explain 10.3         after it has passed
  tinyllm learn explain E-SHAPE
"""


def add_arguments(parser: Parser) -> None:
    """Declare the argument."""
    parser.add_argument("what", metavar="WHAT", help="an exercise that has passed, or an error's code, E-...")


def run(args: argparse.Namespace) -> int:
    """Print the explanation."""
    from ...errors import LearnError
    from ...learn.work.session import Session, title

    screen = Screen.of()
    if args.what.upper().startswith("E-"):
        code, meaning = error_of(args.what.upper())
        screen.line(code, style="bold")
        screen.paragraph(meaning, indent="  ")
        return 0
    session = Session.here()
    exercise = session.chosen(args.what)
    if not session.passed(exercise):
        raise LearnError(
            f"the explanation of {exercise.id} gives it away, and it has not passed yet",
            hint=f"tinyllm learn hint {exercise.id}, or tinyllm learn solution {exercise.id} --give-up",
        )
    screen.line(f"{exercise.id} {title(exercise)}", style="bold")
    screen.paragraph(exercise.explain, indent="  ")
    return 0


def error_of(code: str) -> tuple[str, str]:
    """Return an error's code and what it means, from its class; "E-SHAPE-03" is an "E-SHAPE".

    Example:
        >>> error_of("E-LEAF")[1]
        'backward() on something that is not one number, without saying which cotangent to start from.'
    """
    from ... import errors

    kinds = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    known = {kind.code: str(kind.__doc__).split("\n\n")[0] for kind in kinds}
    wanted = code.rstrip("0123456789").rstrip("-")
    if wanted not in known:
        raise errors.LearnError(
            f"there is no error code {code!r}", hint=errors.nearest(wanted, known) or ", ".join(known)
        )
    return wanted, " ".join(known[wanted].split())
