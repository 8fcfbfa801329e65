"""The same functions for asyncio: ``acomplete``, ``astream``, ``aembed``.

    answer = await acomplete("Why is the sky blue?")
    async with astream("Tell me a story.") as pieces:
        async for text in pieces.text():
            ...

A bridge of threads: each stream has one, in which the next delta is waited for; the loop is free meanwhile. Nothing is
read ahead, so a slow reader slows the sender. When a task is canceled, the line is shut and the thread ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from .api import Client, Prompt, default
from .reading import Stream
from .types import Completion, Delta, Embeddings, TextDelta

Got = TypeVar("Got")
_END = object()


class AsyncStream(AsyncIterator[Delta]):
    """An answer while it comes; see ``Stream``.

    Args:
        stream: the same without asyncio; nobody else reads it.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tinyllm-stream")

    async def __anext__(self) -> Delta:
        found = await self._call(lambda: next(self._stream, _END))
        if found is _END:
            raise StopAsyncIteration
        return found

    @property
    def partial(self) -> Completion:
        """What has come so far."""
        return self._stream.partial

    async def result(self) -> Completion:
        """Read what is left, and return the whole of it; errors as of ``Stream.result``."""
        return await self._call(self._stream.result)

    async def text(self) -> AsyncIterator[str]:
        """Yield the pieces of its text."""
        async for delta in self:
            if isinstance(delta, TextDelta):
                yield delta.text

    async def close(self) -> None:
        """Give the connection and the thread back."""
        self._stream.cancel()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._stream.close)
        except RuntimeError:  # the thread is gone: it was closed before
            return
        self._thread.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, function: Callable[[], Any]) -> Any:
        """Run it in this stream's thread; if the task is canceled, shut the line first, so that it comes back."""
        waiting = asyncio.get_running_loop().run_in_executor(self._thread, function)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            self._stream.cancel()
            waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody waits for it anymore
            raise


def astream(
    prompt: Prompt, provider: str = "auto", model: str | None = None, *, client: Client | None = None, **settings: Any
) -> AsyncStream:
    """Return the answer as it comes; arguments and errors as of ``stream``."""
    return AsyncStream((client or default()).stream(prompt, provider, model, **settings))


async def acomplete(
    prompt: Prompt, provider: str = "auto", model: str | None = None, *, client: Client | None = None, **settings: Any
) -> Completion:
    """Return the whole answer; arguments and errors as of ``stream``."""
    whole = (client or default()).stream(prompt, provider, model, whole=True, **settings)
    async with AsyncStream(whole) as answer:
        return await answer.result()


async def aembed(
    texts: Sequence[str],
    provider: str = "auto",
    model: str | None = None,
    *,
    client: Client | None = None,
    **settings: Any,
) -> Embeddings:
    """Return a vector of each text; arguments and errors as of ``embed``."""
    return await asyncio.to_thread((client or default()).embed, texts, provider, model, **settings)
