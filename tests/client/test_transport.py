"""The line: every fault ends in its typed error, after the bytes that came; a whole answer is its bytes."""

from __future__ import annotations

from tests.client import faultserver as fs
from tinyllm.client.deadline import Deadline
from tinyllm.client.errors import TruncatedError
from tinyllm.client.transport import HttpTransport
from tinyllm.client.types import HttpRequest


def ask(url, transport=None, deadline=None, **headers):
    request = HttpRequest("POST", f"{url}/v1/chat", {"Authorization": "Bearer sk-planted", **headers}, b'{"a":1}')
    return (transport or HttpTransport(proxies={})).send(request, deadline or Deadline())


def outcome(*steps, **given):
    """Return the bytes that came and the error behind them."""
    got = []
    with fs.FaultServer(steps) as server:
        try:
            for chunk in ask(server.url, **given).chunks:
                got.append(chunk)
        except Exception as error:
            return b"".join(got), error
    return b"".join(got), None


def test_whole_answers():
    for data in (fs.answer(b"hello"), fs.chunked(b"he", b"llo"), fs.head() + b"hello"):
        assert outcome(fs.read, fs.send(data), fs.finish) == (b"hello", None)


def test_short_length():
    got, error = outcome(fs.read, fs.send(fs.head(Content_Length=10) + b"hello"), fs.finish)
    assert got == b"hello" and type(error) is TruncatedError
