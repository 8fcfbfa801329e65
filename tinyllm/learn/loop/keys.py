"""What the learner presses while the loop goes on: single keys in a terminal, lines where there are plain lines.

with keys(plain=False) as pressed:
    pressed.get(0.1)        "h", or None when nothing came in a tenth of a second, or END
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from types import TracebackType
from typing import Any, Protocol

END = "end"  # the terminal was closed, or the input is used up
REDRAW = "redraw"  # the terminal shows something else by now


class Keys(Protocol):
    """Where words and keys come from."""

    def __enter__(self) -> Keys: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def get(self, wait: float) -> str | None:
        """Return the next key, waiting so many seconds for it; None if there is none, END if none will come."""


class SingleKeys:
    """Keys as they are pressed, without Enter, in a POSIX terminal; Ctrl-C and Ctrl-Z work as ever."""

    def __init__(self) -> None:
        self.handle = sys.stdin.fileno()
        self.before: Any = None
        self.waiting: list[str] = []

    def __enter__(self) -> SingleKeys:
        import signal
        import termios

        self.before = termios.tcgetattr(self.handle)
        self._single()
        self.resumed = signal.signal(signal.SIGCONT, lambda *_: self._again())  # after Ctrl-Z and fg
        return self

    def __exit__(self, *_: object) -> None:
        import signal
        import termios

        signal.signal(signal.SIGCONT, self.resumed)
        with contextlib.suppress(termios.error, OSError):
            termios.tcsetattr(self.handle, termios.TCSADRAIN, self.before)

    def _again(self) -> None:
        self._single()
        self.waiting.append(REDRAW)

    def _single(self) -> None:
        import termios
        import tty

        with contextlib.suppress(termios.error, OSError):
            tty.setcbreak(self.handle, termios.TCSADRAIN)

    def get(self, wait: float) -> str | None:
        """Return the next key."""
        import select

        if not self.waiting:
            if not select.select([self.handle], [], [], wait)[0]:
                return None
            try:
                data = os.read(self.handle, 64)
            except OSError:
                return END
            if not data:
                return END
            if data.startswith(b"\x1b"):  # an arrow, a mouse: several bytes that mean one thing, and nothing here
                return None
            self.waiting = [char for char in data.decode("utf-8", "replace") if char.isprintable()]
        return self.waiting.pop(0) if self.waiting else None


class ConsoleKeys:
    """Keys as they are pressed, in a Windows console."""

    def __enter__(self) -> ConsoleKeys:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, wait: float) -> str | None:
        """Return the next key."""
        import importlib

        console: Any = importlib.import_module("msvcrt")
        until = time.monotonic() + wait
        while not console.kbhit():
            if time.monotonic() >= until:
                return None
            time.sleep(0.01)
        char = str(console.getwch())
        if char in ("\x00", "\xe0"):  # an arrow or a function key, in two halves
            console.getwch()
            return None
        if char == "\x03":
            raise KeyboardInterrupt
        return char if char.isprintable() else None


class Lines:
    """Words ended by Enter, from any input: no key has a meaning of its own."""

    def __init__(self, stream: Any = None) -> None:
        self.stream = stream or sys.stdin
        self.lines: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Lines:
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in self.stream:
                self.lines.put(line.strip())
        self.lines.put(END)

    def get(self, wait: float) -> str | None:
        """Return the next line, without blanks around it."""
        try:
            return self.lines.get(timeout=wait) if wait > 0 else self.lines.get_nowait()
        except queue.Empty:
            return None


def keys(plain: bool) -> Keys:
    """Choose how keys are read: one by one in a terminal, as lines elsewhere."""
    if plain or not sys.stdin.isatty():
        return Lines()
    return ConsoleKeys() if os.name == "nt" else SingleKeys()
