"""What went wrong while a learner's code ran, as one sentence with the line it happened on."""

from __future__ import annotations

import re
import signal
import traceback
from pathlib import Path

from ...errors import TinyLLMError
from ..verdict import Line, Verdict

_LONG = 300  # characters: what is longer is some line of the file that went wrong
_FRAME = re.compile(r'File "([^"]+)", line (\d+) in (\S+)')
# how Windows numbers the ends that elsewhere are signals
_WINDOWS = {0xC0000005: "SIGSEGV", 0xC00000FD: "SIGSEGV", 0xC000001D: "SIGILL", 0xC0000094: "SIGFPE"}
_SIGNALS = {
    "SIGSEGV": "it reached for memory that is not its own (a segmentation fault)",
    "SIGBUS": "it reached for memory that is not there (a bus error)",
    "SIGABRT": "a library gave up (abort)",
    "SIGFPE": "an impossible calculation with integers, such as a division by zero, in compiled code",
    "SIGILL": "compiled code that this processor does not know",
}


def failed(exercise: str, sentence: str, where: str = "", name: str = "run") -> Verdict:
    """Return the verdict on code that did not come to be checked."""
    return Verdict(exercise, "failed", [Line("FAIL", name, because=[sentence])], where)


def stopped(exercise: str, error: BaseException, folder: Path) -> Verdict:
    """Return the verdict on code that an exception stopped.

    Example:
        >>> stopped("10.3", SystemExit(0), Path("my")).because.split(":")[0]
        'the code calls sys.exit() or exit(), which would end the whole program'
    """
    where = line_of(error, folder)
    if isinstance(error, NotImplementedError) and _is_stub(error, exercise):
        return Verdict(exercise, "stub", [], where)
    if not where and not isinstance(error, (TinyLLMError, SystemExit, KeyboardInterrupt, MemoryError)):
        kind = f"{type(error).__name__}: {_first(error) or 'no message'}"
        return failed(exercise, f"the check itself broke down, which is a fault of tinyllm, not yours ({kind}).")
    return failed(exercise, sentence_of(error), where, "load" if isinstance(error, TinyLLMError) else "run")


def sentence_of(error: BaseException) -> str:
    """Say what an exception means."""
    if isinstance(error, TinyLLMError):
        said = error.message if len(error.message) < _LONG else error.message[:_LONG] + " ..."
        return said + (f". Try: {error.hint}" if error.hint else "")
    if isinstance(error, SystemExit):
        return "the code calls sys.exit() or exit(), which would end the whole program: return a value, or raise."
    if isinstance(error, KeyboardInterrupt):
        return "the code raised KeyboardInterrupt, as Ctrl-C does: return a value, or raise another error."
    if isinstance(error, MemoryError):
        return f"it asked for more memory than there is ({_first(error) or 'MemoryError'}): look at the shapes."
    if isinstance(error, RecursionError):
        return "it calls itself without an end (RecursionError): is there a case that returns without another call?"
    if isinstance(error, EOFError):
        return "it waits for input(), and nobody types while a check runs: take values from the arguments."
    if type(error).__module__.startswith("numba"):
        return numba_sentence(str(error))
    return f"{type(error).__name__}: {_first(error) or 'no message'}"


def numba_sentence(text: str) -> str:
    r"""Say in one sentence what Numba says in thirty lines.

    Example:
        >>> numba_sentence('Failed in nopython mode pipeline (step: x)\n\x1b[1mUndefined variable \'q\'\x1b[0m\n'
        ...                'File "my/l16.py", line 9:')
        "Numba cannot compile it: Undefined variable 'q' (line 9)"
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    noise = ("Failed in", "During:", "File ", "There are", "- Resolution", "<source", "[1", "[2", "Overload", "*")
    told = next((line for line in lines if not line.startswith(noise)), lines[0] if lines else "no reason given")
    signature = next((line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")), "")
    if told.endswith("signature:") and signature:
        told = f"there is no {signature}"
    number = re.search(r"line (\d+)", text)
    return f"Numba cannot compile it: {told.rstrip('.:')}" + (f" (line {number[1]})" if number else "")


def line_of(error: BaseException, folder: Path) -> str:
    """Return file and line of the last step in the learner's own code, "my/l10_attention.py:41", or ""."""
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    return next((told(name, line, folder) for name, line in reversed(frames) if _inside(name, folder)), "")


def ended(exercise: str, code: int | None, report: str, folder: Path) -> Verdict:
    """Return the verdict on a process that ended without one.

    Args:
        exercise: its id.
        code: what the process returned: negative for a signal.
        report: what Python's fault handler wrote.
        folder: the learner's.
    """
    where = line_in(report, folder)
    at = f", at {where}" if where else ""
    name = _WINDOWS.get(code or 0, "") or _signal(code)
    if name == "SIGKILL":
        return failed(exercise, "the system stopped it, most likely because memory ran out: look at the shapes.", where)
    if name:
        why = _SIGNALS.get(name, name)
        return failed(exercise, f"the code crashed Python itself{at}: {why}.", where)
    return failed(exercise, "the code ended its Python process before the check was done (os._exit?): return.", where)


def timed_out(exercise: str, seconds: float, report: str, folder: Path) -> Verdict:
    """Return the verdict on code that did not come to an end."""
    where = line_in(report, folder)
    at = f", at {where}" if where else ""
    return failed(
        exercise, f"it was still running after {seconds:g} s{at}: is there a loop whose condition stays true?", where
    )


def line_in(report: str, folder: Path) -> str:
    """Find the learner's line in what the fault handler wrote, which begins with the innermost call."""
    found = (told(name, int(line), folder) for name, line, _ in _FRAME.findall(report) if _inside(name, folder))
    return next(found, "")


def told(name: str, line: int | None, folder: Path) -> str:
    """Write file and line as the learner knows them: from the folder that holds theirs."""
    return f"{Path(name).resolve().relative_to(folder.resolve().parent).as_posix()}:{line}"


def _inside(name: str, folder: Path) -> bool:
    return Path(name).resolve().is_relative_to(folder.resolve())


def _is_stub(error: BaseException, exercise: str) -> bool:
    return bool(error.args) and exercise in str(error.args[0])


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def _signal(code: int | None) -> str:
    try:
        return signal.Signals(-(code or 0)).name
    except ValueError:
        return ""
