"""``tinyllm COMMAND``: find the command, run it, and turn whatever goes wrong into one clear line.

Exit codes: 0 all went well; 1 something failed, and a line on standard error says what to do; 2 the command line was
not understood; 130 Ctrl-C; 141 whoever read the output went away.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import textwrap
import traceback
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import TinyLLMError, nearest
from .screen import say

if TYPE_CHECKING:
    from .parser import Parser

# group -> command -> what it does, in the order of the help text; each command is a module of this package, and one of
# two words ("tokens train", "learn export-progress") a module of a package in it
COMMANDS = {
    "Start here": {
        "tour": "watch a GPT learn, and see its gradients checked (3 minutes)",
    },
    "Learn": {
        "learn": "write each stage by hand, checked at every save",
    },
    "Models": {
        "train": "train a GPT on any text: a file, a folder, standard input",
        "generate": "let a trained model continue a text",
        "chat": "talk with a model, turn by turn",
        "ask": "ask any provider, or a model that you trained",
        "explore": "see a model at work, in one page to play with",
        "convert": "write a model for transformers or llama.cpp",
        "quantize": "measure what weights of 8 or 4 bits cost, and write them",
        "debug": "find why a model does not learn, with advice",
    },
    "Texts": {
        "tokens": "show how a text is cut into tokens, how many, at what price",
        "tokens train": "learn a vocabulary from texts of your own",
        "tokens compress": "compare encodings over files or languages",
    },
    "Retrieval": {
        "rag": "search texts, answer with citations, measure each step",
    },
    "This machine": {
        "data": "list or fetch published vocabularies and texts",
        "info": "show versions, threads, BLAS, kernels and caches",
        "warm": "compile all kernels now, so that no later command has to",
        "bench": "measure speed and memory, beside other libraries",
        "doctor": "find what keeps tinyllm from running well, one fix per line",
        "completion": "print the completion script for bash, zsh or fish",
    },
}
# commands of two words that the help of their first word lists, and the front page does not
WITHIN = {
    "learn": {
        "learn start": "begin a lesson: makes your file for it in my/",
        "learn list": "show the lessons and exercises, and which have passed",
        "learn check": "check an exercise, a lesson or everything once",
        "learn hint": "show the next hint: a question, the idea, code with blanks",
        "learn explain": "show why a solution works, or what an error code means",
        "learn solution": "show yours beside the library's",
        "learn plot": "draw yours beside the reference",
        "learn show": "read a lesson here, or make it a page or a notebook",
        "learn run": "run a lesson, with your functions where they have passed",
        "learn reset": "put the stub of one function back",
        "learn undo": "take the last reset back, or restore the version before",
        "learn path": "show an order in which to take the lessons",
        "learn status": "show how far you are",
        "learn what": "say what a word means",
        "learn doctor": "find what keeps the lessons from running well",
        "learn bundle": "join what you wrote into one file that needs NumPy only",
        "learn export-progress": "print what has passed, as JSON",
        "learn dev": "hold lessons to the course's own rules (for authors)",
    },
    "rag": {
        "rag index": "make a folder of texts ready: passages, vectors, words",
        "rag search": "show the passages that fit, and what each stage said",
        "rag ask": "answer from the passages, every citation checked",
        "rag eval": "measure one pipeline on questions with known answers",
        "rag ladder": "add one stage at a time, and see whether it helped",
    },
}
NAMES = [name for group in COMMANDS.values() for name in group]
ALL = [*NAMES, *(name for within in WITHIN.values() for name in within)]

EXAMPLES = """\
  tinyllm tour
  tinyllm learn
  tinyllm train my_notes.txt --out runs/notes
  tinyllm generate runs/notes "Dear diary" --tokens 100
  tinyllm train --help
"""
ENVIRONMENT = """\
  TINYLLM_PLAIN=1      plain lines, no colors, no moving cursor (also NO_COLOR)
  TINYLLM_THREADS=n    how many threads to use; without it, one per core
  TINYLLM_KERNELS=k    numba (fast) or numpy (readable, slow)
  TINYLLM_DATA=path    folders with texts and models, found by name
  TINYLLM_CACHE=path   where downloads are kept
  TINYLLM_MY=path      your folder for the lessons; without it, my/ in this one
  TINYLLM_MINE=which   run your own functions from there, as --mine=which
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the arguments after the program's name; by default those of this process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    _never_fail_to_print()
    if argv is None:  # this process ends with the command: to look for garbage then takes Python a third of a second
        atexit.register(gc.freeze)
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):  # Python flushes once more at exit: give it a place to flush to
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        if debug:
            traceback.print_exc()
        say("\ntinyllm: interrupted", error=True)
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        say(f"tinyllm: {one_line(error)}", error=True)
        return 1


def _run(arguments: list[str]) -> int:
    name, rest = _command(arguments)
    if name is None:
        return _without_command(arguments)
    if name not in ALL:
        close = nearest(name, NAMES)
        say(f"tinyllm: there is no command {name!r}" + (f"; did you mean {close}?" if close else ""), error=True)
        say(f"The commands are {', '.join(NAMES)}; tinyllm --help explains them.", error=True)
        return 2
    module = module_of(name)
    try:
        namespace = parser_of(name).parse_args(rest)
    except SystemExit as stop:  # argparse has printed its help or its complaint
        return int(stop.code or 0)
    return int(module.run(namespace))


def _command(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Split off the command, of one word or two; ``tinyllm help train`` is ``tinyllm train --help``."""
    for i, word in enumerate(arguments):
        if word.startswith("-"):
            continue
        rest = arguments[:i] + arguments[i + 1 :]
        if word == "help":
            other, _ = _command([w for w in rest if not w.startswith("-")])
            return (other, ["--help"]) if other else (None, [])
        if i < len(rest) and (both := f"{word} {rest[i]}") in ALL:
            return both, rest[:i] + rest[i + 1 :]
        return word, rest
    return None, []


def _without_command(arguments: list[str]) -> int:
    from .. import __version__

    flags = [word for word in arguments if word not in ("--debug", "help")]
    if "--version" in flags:
        say(f"tinyllm {__version__}")
        return 0
    unknown = [word for word in flags if word not in ("-h", "--help")]
    if unknown:
        say(f"tinyllm: there is no option {unknown[0]!r} without a command; see tinyllm --help", error=True)
        return 2
    say(help_text(), end="")
    return 0


def module_of(name: str) -> ModuleType:
    """Import the module of one command."""
    path = {"learn run": "learn.lesson"}.get(
        name, name.replace(" ", ".").replace("-", "_")
    )  # a package has its own run
    return import_module("." + path, __package__)


def summary_of(name: str) -> str:
    """Return what one command does, in a few words."""
    return next(group[name] for group in (*COMMANDS.values(), *WITHIN.values()) if name in group)


def parser_of(name: str) -> Parser:
    """Make the parser of one command."""
    from .parser import Parser

    module = module_of(name)
    parser = Parser(prog=f"tinyllm {name}", summary=summary_of(name), examples=module.EXAMPLES)
    module.add_arguments(parser)
    return parser


def help_text() -> str:
    """Write what ``tinyllm --help`` prints."""
    from .. import __doc__ as about

    lines = [*textwrap.wrap(str(about).splitlines()[0], 78), "", "Usage: tinyllm COMMAND [OPTIONS]", ""]
    for group, commands in COMMANDS.items():
        lines += [group, *(f"  {name:<17}{summary}" for name, summary in commands.items()), ""]
    lines += [
        "Options",
        "  -h, --help  show this page, or after a command all its options",
        "  --version   show the version",
        "  --debug     show the whole traceback of an error",
        "",
        "Examples",
        EXAMPLES,
        "Environment",
        ENVIRONMENT,
    ]
    return "\n".join(lines)


def one_line(error: BaseException) -> str:
    """Say in one line what went wrong and what to do.

    Example:
        >>> one_line(FileNotFoundError(2, "No such file or directory", "runs/x"))
        'runs/x: no such file or directory'
    """
    if isinstance(error, TinyLLMError):
        return str(error)
    if isinstance(error, OSError):
        return _file_trouble(error)
    if isinstance(error, MemoryError):
        return "out of memory. Try: a smaller --batch-size, --block-size or --width"
    if isinstance(error, ImportError):
        return f"{error}. Try: tinyllm doctor"
    first = (str(error).strip().splitlines() or ["no message"])[0]
    return f"this should not have happened: {type(error).__name__}: {first}. Try: --debug, which shows where"


def _file_trouble(error: OSError) -> str:
    import errno

    reason = (error.strerror or str(error)).lower()
    text = f"{error.filename}: {reason}" if error.filename else reason
    hint = {
        errno.ENOSPC: "free some space on this disk, or --out in a folder on another one",
        errno.EACCES: "another folder, one you may write to: --out",
        errno.EPERM: "another folder, one you may write to: --out",
        errno.EROFS: "a folder on a disk that is not read-only: --out",
    }.get(error.errno or 0)
    return f"{text}. Try: {hint}" if hint else text


def _never_fail_to_print() -> None:
    """On an encoding that lacks a character, print a stand-in instead of raising UnicodeEncodeError."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
        if hasattr(stream, "reconfigure") and encoding != "utf8":
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
