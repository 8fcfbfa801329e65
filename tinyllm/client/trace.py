"""Where the time of an answer went: from the name of the host to the last piece of text, as one line of JSON.

    asked   dns  connect  tls  send  headers  first byte  first content             last content
      |------|------|------|-----|------|---------|-----------|----|--|----|---|---------|
      '------------------ time to first token ----------------'    gaps: p50, p95

A provider can send its first byte long before its first word, so the time to first token ends at the first piece of
content. Gaps are those between pieces as they came; a piece may hold several tokens. Decoding speed counts the tokens
after the first one, over the time from the first piece to the last, so that waiting for the first does not blur it.

A trace holds numbers, names and codes. Of prompts and answers it holds nothing unless it was asked to.
"""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .deadline import Deadline
from .errors import ProviderError
from .retry import maybe_billed
from .types import Completion, Delta, Message, ReasoningDelta, TextDelta, ToolArgsDelta, ToolStart, Usage, UsageUpdate

Phase = Literal["dns", "connect", "proxy", "tls", "send"]
# what a deadline notes when it is done -> the part of an attempt that it ends
_ENDS = {"dns": "dns", "connect": "connect", "proxy": "proxy", "tls": "tls", "sent": "send"}


@dataclass(slots=True)
class Attempt:
    """One request of an answer; times in seconds, None for what did not happen or was not measured.

    Args:
        provider, model: who was asked.
        began: seconds after the question.
        dns, connect, proxy, tls, send: how long each took.
        headers, first_byte: seconds from the attempt's beginning to the head and to the body of the answer.
        status: of HTTP.
        error: the code of what it ended in, such as "E-RATE".
        waited: seconds before this attempt, for the one before had failed.
        maybe_billed: the request went out and no answer came: it may be on the bill nevertheless.
    """

    provider: str
    model: str
    began: float
    dns: float | None = None
    connect: float | None = None
    proxy: float | None = None
    tls: float | None = None
    send: float | None = None
    headers: float | None = None
    first_byte: float | None = None
    status: int | None = None
    error: str | None = None
    waited: float = 0.0
    maybe_billed: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """What was measured of one answer; None where there is nothing to measure.

    Args:
        attempts: all requests, the last one gave the answer.
        ttft: seconds from the question to the first piece of content, of all attempts and waits.
        last: seconds from the question to the last piece of content.
        total: seconds from the question to the end.
        gap_p50, gap_p95: of the seconds between pieces of content.
        pieces: of content.
        tokens_per_second: of decoding, after the first token.
        bytes_sent, bytes_received: of bodies, as they went over the line.
        peak_memory: bytes that Python had at most, if that was asked for.
        finish: how the answer ended; error: its code, if it ended in one.
        usage: tokens.
        cost: micro-dollars.
        prompt, text: what was asked and answered, if that was asked for.
    """

    attempts: tuple[Attempt, ...]
    ttft: float | None = None
    last: float | None = None
    total: float = 0.0
    gap_p50: float | None = None
    gap_p95: float | None = None
    pieces: int = 0
    tokens_per_second: float | None = None
    bytes_sent: int = 0
    bytes_received: int = 0
    peak_memory: int | None = None
    finish: str | None = None
    error: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost: int | None = None
    prompt: tuple[str, ...] | None = None
    text: str | None = None

    def line(self) -> str:
        """Return it as one line of JSON, without what is None.

        Example:
            >>> Trace((), ttft=0.25, total=1.0).line()
            '{"attempts":[],"ttft":0.25,"total":1.0,"pieces":0,"bytes_sent":0,"bytes_received":0,"usage":{}}'
        """
        return json.dumps(_known(asdict(self)), separators=(",", ":"))

    def append(self, path: str | os.PathLike[str]) -> None:
        """Write it to the end of a file, which is made for its owner alone; several processes may write to one.

        Raises:
            OSError: the file cannot be written.
        """
        place = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(place, (self.line() + "\n").encode())  # one write, so that lines of two processes do not mix
        finally:
            os.close(place)


class Tracer:
    """Measures one answer while it comes.

    Args:
        clock: seconds that never run backwards.
        memory: whether to measure the most memory that Python has meanwhile, with tracemalloc, which slows it down.
        texts: whether to keep what is asked and answered.
        prompt: the messages, kept with ``texts`` only.

    Example:
        >>> times = iter([0.0, 0.0, 0.1, 0.2, 0.5, 0.7, 1.0])
        >>> tracer = Tracer(clock=lambda: next(times))
        >>> with tracer.attempt("toy", "m"):
        ...     with tracer.phase("connect"):
        ...         pass
        ...     tracer.delta(TextDelta("Hel"))
        ...     tracer.delta(TextDelta("lo"))
        >>> trace = tracer.done(Completion("Hello", finish="stop", usage=Usage(input=5, output=3)))
        >>> trace.ttft, trace.attempts[0].connect, round(trace.tokens_per_second), trace.total
        (0.5, 0.1, 10, 1.0)
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        memory: bool = False,
        texts: bool = False,
        prompt: Sequence[Message] = (),
    ) -> None:
        self._clock = clock
        self._texts = texts
        self._prompt = tuple(message.content for message in prompt) if texts else None
        self._attempts: list[Attempt] = []
        self._gaps = array("d")
        self._first: float | None = None
        self._last: float | None = None
        self._reasoned = False
        self._usage = Usage()
        self._sent = self._received = 0
        self._deadline: Deadline | None = None
        self._memory = memory
        self._own_memory = memory and not tracemalloc.is_tracing()
        if memory:
            if self._own_memory:
                tracemalloc.start()
            tracemalloc.reset_peak()
        self._zero = clock()

    @contextmanager
    def attempt(
        self, provider: str, model: str, waited: float = 0.0, deadline: Deadline | None = None
    ) -> Iterator[Attempt]:
        """Measure one request; an error that comes out of it is noted and goes on.

        Args:
            provider, model: who is asked.
            waited: seconds before it.
            deadline: of the request, by the same clock: what it has noted is read here and when all is done.
        """
        attempt = Attempt(provider, model, self._clock() - self._zero, waited=waited)
        self._attempts.append(attempt)
        self._deadline = deadline
        try:
            yield attempt
        except ProviderError as problem:
            attempt.error = problem.code
            attempt.status = attempt.status if problem.status is None else problem.status
            attempt.maybe_billed = maybe_billed(problem)
            raise
        finally:
            self._read_marks()

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """Measure a part of the latest attempt, where no deadline does."""
        begin = self._clock()
        try:
            yield
        finally:
            setattr(self._attempts[-1], name, self._clock() - begin)

    def sent(self, n: int) -> None:
        """Note that so many bytes went out."""
        self._sent += n

    def received(self, n: int) -> None:
        """Note that so many bytes came in; the first ones of an attempt are its first byte."""
        if n and self._attempts and self._attempts[-1].first_byte is None:
            attempt = self._attempts[-1]
            attempt.first_byte = self._clock() - self._zero - attempt.began
        self._received += n

    def delta(self, delta: Delta) -> None:
        """Note a piece of the answer."""
        if isinstance(delta, UsageUpdate):
            self._usage = delta.usage
            return
        empty = isinstance(delta, TextDelta | ReasoningDelta | ToolArgsDelta) and not delta.text
        if empty or not isinstance(delta, TextDelta | ReasoningDelta | ToolStart | ToolArgsDelta):
            return
        now = self._clock() - self._zero
        self._reasoned = self._reasoned or isinstance(delta, ReasoningDelta)
        if self._last is None:
            self._first = now
        else:
            self._gaps.append(now - self._last)
        self._last = now

    def done(self, completion: Completion | None = None, error: ProviderError | None = None) -> Trace:
        """Return what was measured; to be called once, when the answer, or the last attempt, has ended."""
        total = self._clock() - self._zero
        self._read_marks()
        peak = None
        if self._memory:
            peak = tracemalloc.get_traced_memory()[1]
            if self._own_memory:
                tracemalloc.stop()
        usage = self._usage if completion is None else completion.usage
        gaps = sorted(self._gaps)
        return Trace(
            attempts=tuple(self._attempts),
            ttft=self._first,
            last=self._last,
            total=total,
            gap_p50=quantile(gaps, 0.50),
            gap_p95=quantile(gaps, 0.95),
            pieces=len(gaps) + (self._first is not None),
            tokens_per_second=self._speed(usage),
            bytes_sent=self._sent,
            bytes_received=self._received,
            peak_memory=peak,
            finish=None if completion is None else completion.finish,
            error=None if error is None else error.code,
            usage=usage,
            cost=None if completion is None else completion.cost,
            prompt=self._prompt,
            text=completion.text if self._texts and completion is not None else None,
        )

    def _read_marks(self) -> None:
        """Take over what the latest attempt's deadline has noted: moments, in the order of what happened."""
        if self._deadline is None or not self._attempts:
            return
        attempt = self._attempts[-1]
        before = attempt.began
        for name, moment in self._deadline.marks.items():
            now = self._deadline.began + moment - self._zero
            if name in _ENDS:
                setattr(attempt, _ENDS[name], now - before)
                before = now
            elif name in ("headers", "first_byte"):
                setattr(attempt, name, now - attempt.began)

    def _speed(self, usage: Usage) -> float | None:
        if usage.output is None or self._first is None or self._last is None or self._last <= self._first:
            return None
        # thoughts that were not shown came before the first piece: they are no part of this time
        tokens = usage.output + ((usage.reasoning or 0) if self._reasoned else 0)
        return (tokens - 1) / (self._last - self._first) if tokens > 1 else None


def quantile(ordered: Sequence[float], part: float) -> float | None:
    """Return the smallest of ordered values that at least this part of them does not exceed; None if there are none.

    Example:
        >>> quantile([1.0, 2.0, 3.0, 10.0], 0.5), quantile([], 0.5)
        (2.0, None)
    """
    if not ordered:
        return None
    rank = -(-len(ordered) * round(part * 1000) // 1000)  # whole numbers: 0.95 * 20 is 19.000000000000004 in floats
    return ordered[max(rank, 1) - 1]


def _known(value: Any) -> Any:
    """Return JSON without what is None."""
    if isinstance(value, dict):
        return {name: _known(part) for name, part in value.items() if part is not None}
    return [_known(part) for part in value] if isinstance(value, list | tuple) else value
