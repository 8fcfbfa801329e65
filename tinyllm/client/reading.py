"""An answer that is being read: its deltas one by one, its pieces of text, or all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from .assemble import Assembler
from .types import Began, Completion, Delta, Done, TextDelta, ToolArgsDelta, ToolDone, ToolStart, UsageUpdate


class Stream(Iterator[Delta]):
    """An answer while it comes: deltas, one by one.

    Nothing is sent before the first is asked for. Close it, or read it to its end, and the connection is free.
    """

    def __init__(
        self,
        deltas: Callable[[Assembler], Iterator[Delta]],
        answer: Assembler,
        end: Callable[[Completion], Completion],
        stop: Callable[[], None],
    ) -> None:
        self._answer, self._end, self._stop = answer, end, stop
        self._deltas = deltas(answer)
        self._result: Completion | None = None

    def __next__(self) -> Delta:
        delta = next(self._deltas)
        self._answer.add(delta)
        return delta

    @property
    def partial(self) -> Completion:
        """What has come so far."""
        return self._answer.completion()

    def result(self) -> Completion:
        """Read what is left, and return the whole of it.

        Raises:
            ProviderError: what it ended in; ``partial`` of it is what had come.
        """
        if self._result is None:
            for _ in self:
                pass
            self._result = self._end(self._answer.completion())
        return self._result

    def text(self) -> Iterator[str]:
        """Yield the pieces of its text."""
        for delta in self:
            if isinstance(delta, TextDelta):
                yield delta.text

    def cancel(self) -> None:
        """Have whoever reads it get a CanceledError, at once; from any thread."""
        self._stop()

    def close(self) -> None:
        """Give the connection back; what has not come is not read."""
        close = getattr(self._deltas, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def replayed(completion: Completion) -> Iterator[Delta]:
    """Yield a completion as the deltas that make it.

    Example:
        >>> [type(delta).__name__ for delta in replayed(Completion("Hi", finish="stop"))]
        ['Began', 'TextDelta', 'UsageUpdate', 'Done']
    """
    yield Began(completion.raw.get("id"), completion.model or None)
    if completion.text:
        yield TextDelta(completion.text)
    for call in completion.tool_calls:
        yield ToolStart(call.index, call.id, call.name)
        yield ToolArgsDelta(call.index, call.arguments)
        yield ToolDone(call.index)
    yield UsageUpdate(completion.usage)
    yield Done(completion.finish, completion.raw_finish)
