"""Each field of each recorded frame becomes what it never should be: the outcome is deltas, or one typed error."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tinyllm.client.errors import ProtocolError
from tinyllm.client.providers import openai_chat, openai_responses
from tinyllm.client.types import Done, ErrorDelta, TextDelta, ToolStart

STREAMS = sorted((Path(__file__).parent / "streams").glob("*.sse"))
ODD = [None, 7, "x", "", [], {}, [7], [{}], "\ud83d"]


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Where something stands in a frame, and inside of that."""
    yield path
    found = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in found:
        yield from places(inner, (*path, key))


def put(value: Any, path: tuple, new: Any) -> Any:
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = put(value[path[0]], path[1:], new)
    return value


@pytest.mark.parametrize("wire", [openai_chat, openai_responses], ids=["chat", "responses"])
def test_odd_fields(wire):
    seen, tried = set(), 0
    for stream in STREAMS:
        if not stream.name.startswith(wire.__name__.rpartition("_")[2]):
            continue
        lines = [line[6:] for line in stream.read_bytes().split(b"\n") if line.startswith(b'data: {"')]
        frames = [json.loads(line) for line in lines if line.rstrip().endswith(b"}")]
        for place, frame in enumerate(frames):
            for path in places(frame):
                if (frame.get("type"), path) in seen:
                    continue
                seen.add((frame.get("type"), path))
                for odd in ODD:
                    changed = [*frames[:place], put(frame, path, odd), *frames[place + 1 :]]
                    check(wire.Decoder(), "".join(f"data: {json.dumps(one)}\n\n" for one in changed).encode())
                    tried += 1
    assert tried > 400


def check(decoder: Any, data: bytes) -> None:
    try:
        deltas = decoder.feed(data) + decoder.close()
    except ProtocolError:
        return
    ends = [at for at, delta in enumerate(deltas) if isinstance(delta, Done | ErrorDelta)]
    assert ends in ([], [len(deltas) - 1])
    for delta in deltas:
        if isinstance(delta, TextDelta):
            assert delta.text.encode()
        elif isinstance(delta, ToolStart):
            assert delta.id and isinstance(delta.name, str)
