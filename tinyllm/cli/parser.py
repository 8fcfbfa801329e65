"""argparse, taught to speak plainly: short usage, grouped help with examples, and the nearest option for a typo."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from ..errors import nearest
from .screen import say


class _Layout(argparse.RawDescriptionHelpFormatter):
    """Help with room for the names of options, as wide as the terminal up to 100 characters."""

    def __init__(self, prog: str, **kwargs: Any) -> None:
        width = max(40, min(shutil.get_terminal_size().columns, 100))
        super().__init__(prog, max_help_position=min(30, width // 2), width=width)

    def _format_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any) -> str:
        needed = [a for a in actions if not a.option_strings]
        names = [f"[{a.metavar or a.dest}]" if a.nargs == "?" else str(a.metavar or a.dest) for a in needed]
        return " ".join(["Usage:", self._prog, *names, "[OPTIONS]"]) + "\n\n"

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return str(action.metavar or action.dest)
        names = ", ".join(action.option_strings)
        if action.nargs == 0:
            return names
        if str(action.metavar).startswith("["):  # --mine[=WHICH]: the value is a part of the word
            return f"{names}{action.metavar}"
        metavar = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else None)
        return f"{names} {metavar or action.dest.upper()}"


class Parser(argparse.ArgumentParser):
    """The parser of one command.

    Args:
        prog: "tinyllm train".
        summary: what the command does.
        examples: lines to show at the end of the help.
    """

    def __init__(self, prog: str, summary: str, examples: str) -> None:
        super().__init__(
            prog=prog,
            description=summary[:1].upper() + summary[1:] + ".",
            epilog="Examples\n" + examples.rstrip(),
            formatter_class=_Layout,
            allow_abbrev=False,
            add_help=False,
        )
        self.alone: dict[str, str] = {}  # option -> its value where it is given without one
        self._optionals.title = "Options"
        self._positionals.title = "Arguments"
        self.add_argument("-h", "--help", action="help", help="show this page")
        self.add_argument("--debug", action="store_true", help="show the whole traceback of an error")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse; an option that may stand alone does not take the word after it for its value."""
        words = list(sys.argv[1:] if args is None else args)
        end = words.index("--") if "--" in words else len(words)
        words[:end] = [f"{word}={self.alone[word]}" if word in self.alone else word for word in words[:end]]
        return super().parse_known_args(words, namespace)

    def commands(self, summaries: dict[str, str]) -> None:
        """Show in the help the commands of two words that begin with this one."""
        lines = [f"{name:<{max(map(len, summaries))}}  {summary}" for name, summary in summaries.items()]
        self.add_argument_group("Commands", "\n".join(lines))

    def error(self, message: str) -> NoReturn:
        """Print one line, and how to see the help; exit with 2."""
        words = message.removeprefix("unrecognized arguments: ").split()
        if message.startswith("unrecognized arguments") and words:
            known = [name for action in self._actions for name in action.option_strings]
            wrong = words[0].partition("=")[0]
            close = nearest(wrong, known)
            message = f"there is no option {wrong}" if wrong.startswith("-") else f"one argument too many: {wrong!r}"
            message += f"; did you mean {close}?" if close else ""
        say(f"{self.prog}: {message}", error=True)
        say(f"See {self.prog} --help", error=True)
        raise SystemExit(2)


def number(low: float, whole: bool = False, above: bool = False) -> Callable[[str], Any]:
    """Make a type for an option that takes a number of at least ``low`` (or above it).

    Example:
        >>> number(1, whole=True)("12"), number(0)("0.5")
        (12, 0.5)
    """
    kind = "a whole number" if whole else "a number"
    limit = f"above {low:g}" if above else f"of at least {low:g}"

    def parse(text: str) -> Any:
        try:
            value = int(text.replace("_", "")) if whole else float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {kind}") from None
        if not (value > low if above else value >= low):
            raise argparse.ArgumentTypeError(f"{text} is not {kind} {limit}")
        return value

    return parse
