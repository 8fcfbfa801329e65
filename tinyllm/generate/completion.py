"""Completion: a text that a model has written, why it ended, and what it took."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """What a text took, the time of whoever reads its pieces not counted.

    Attributes:
        first_token_seconds: until the first token was chosen: making the decoder and reading the prompt are in it.
        seconds: in all.
        tokens_per_second: how fast the text went on: the tokens after the first by the seconds after it. 0 where there
            was no second token.
        memory_bytes: of the weights as they are read, and of the keys and values there is room for; of prompts that
            were continued side by side, of all together.
    """

    first_token_seconds: float
    seconds: float
    tokens_per_second: float
    memory_bytes: int


@dataclass(frozen=True)
class Completion:
    """A text that a model has written after a prompt.

    Attributes:
        text: what was written, without the prompt and without what ended it; None where there was no tokenizer.
        ids: the tokens that were chosen, with the one that ended the text, or those that spelled its end.
        prompt_ids: the prompt, as the model's tokens; an empty one is the token that stands for it.
        finish: "length" (``max_tokens`` were written), "stop" (a stop sequence came) or "end" (an end token came, or
            the constraint was fulfilled).
        timing: what it took.
        seed: what writes the same text again; None at a temperature of 0, and where a generator was handed in.
        cut: how many tokens at the start of the prompt the model never saw, because its context is shorter.

    Example:
        >>> Completion("b", [98], [97], "length", Timing(0.1, 0.1, 0.0, 1000), seed=7).finish
        'length'
    """

    text: str | None
    ids: list[int]
    prompt_ids: list[int]
    finish: str
    timing: Timing
    seed: int | None = None
    cut: int = 0


class Clock:
    """A clock that runs inside of its ``with`` blocks only, and remembers when the first token came.

    Example:
        >>> clock = Clock()
        >>> with clock:
        ...     clock.tick()
        >>> clock.timing(memory_bytes=10).memory_bytes, clock.tokens
        (10, 1)
    """

    def __init__(self) -> None:
        self.tokens = 0
        self._before = self._since = self._first = 0.0

    def __enter__(self) -> Clock:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Run, until ``stop``."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Stand still, until ``start``."""
        self._before += time.perf_counter() - self._since

    def tick(self) -> None:
        """Count a token that has just been chosen."""
        self.tokens += 1
        if self.tokens == 1:
            self._first = self._before + time.perf_counter() - self._since

    def timing(self, memory_bytes: int) -> Timing:
        """Return what there is to say at the end, after the last block."""
        after = self._before - self._first
        pace = (self.tokens - 1) / after if self.tokens > 1 and after > 0 else 0.0
        return Timing(self._first, self._before, pace, memory_bytes)
