"""The bridge to asyncio: the same answers, a free loop, and nothing left behind after a cancel."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tinyllm.client import acomplete, aembed, astream
from tinyllm.client.errors import BadRequestError, CanceledError
from tinyllm.client.retry import Retry
from tinyllm.client.transport import Response

from .test_api import ASKED, Line, client, said


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("tinyllm-stream")]


@pytest.fixture(autouse=True)
def none_left():
    yield
    for thread in threads():
        thread.join(5)
    assert threads() == []


def test_an_answer():
    one = client(said("Hel", "lo", usage=True))
    found = asyncio.run(acomplete(*ASKED, client=one))
    assert (found.text, found.finish, found.usage.input) == ("Hello", "stop", 5) and one.line.open == 0


def test_pieces():
    one = client(said("a", "b"))

    async def read():
        async with astream(*ASKED, client=one) as pieces:
            found = [text async for text in pieces.text()]
            return found, await pieces.result()

    texts, whole = asyncio.run(read())
    assert texts == ["a", "b"] and whole.text == "ab" and one.line.open == 0


def test_left_early_the_line_is_free():
    one = client(said("a", "b", "c"))

    async def read():
        async with astream(*ASKED, client=one) as pieces:
            async for _ in pieces.text():
                return pieces.partial.text

    assert asyncio.run(read()) == "a" and one.line.open == 0


def test_errors_come_through():
    one = client((400, b'{"error": {"message": "no"}}'))
    with pytest.raises(BadRequestError):
        asyncio.run(acomplete(*ASKED, client=one))


class Silent(Line):
    """A line that says nothing until it is shut."""

    def send(self, request, deadline):
        self.sent.append(request)
        self.open += 1
        shut, self.waiting = threading.Event(), threading.Event()
        deadline.watch(shut.set)

        def flow():
            self.waiting.set()
            assert shut.wait(10)
            raise CanceledError("shut")
            yield b""

        return Response(200, {}, flow(), self.free)


def test_a_canceled_task_shuts_the_line():
    one = client()
    one.transport = one.line = Silent()

    async def run():
        task = asyncio.create_task(acomplete(*ASKED, client=one, retry=Retry(max_attempts=3)))
        while not one.line.sent:
            await asyncio.sleep(0)
        await asyncio.to_thread(one.line.waiting.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert one.line.open == 0 and len(one.line.sent) == 1


def test_the_loop_is_free_meanwhile():
    one = client()
    one.transport = one.line = Silent()

    async def run():
        async with astream(*ASKED, client=one) as pieces:
            waiting = asyncio.create_task(anext(pieces))
            await asyncio.to_thread(lambda: one.line.sent or threading.Event().wait(0.01))
            beats = 0
            for _ in range(50):
                await asyncio.sleep(0)
                beats += 1
            assert not waiting.done()
            pieces._stream.cancel()
            with pytest.raises(CanceledError):
                await waiting
            return beats

    assert asyncio.run(run()) == 50


def test_vectors():
    one = client(b'{"data": [{"index": 0, "embedding": [1, 0]}]}')
    assert asyncio.run(aembed(["a"], "openai", "e", client=one))[0] == [1.0, 0.0]
