"""Vectors in OpenAI's format: as numbers, as base64, out of order, and broken."""

from __future__ import annotations

import base64
import json
import struct

import pytest

from tinyllm.client.errors import BadRequestError, ProtocolError
from tinyllm.client.providers import openai_chat, openai_responses
from tinyllm.client.types import ErrorDelta, Secret, Spec, Usage

SPEC = Spec("toy", "openai_chat", "http://127.0.0.1/v1", key=Secret("sk-1"))


def reply(*rows: object, **fields: object) -> bytes:
    return json.dumps({"object": "list", "data": rows, "model": "e", **fields}).encode()


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_a_request_word_by_word():
    request = openai_chat.build_embed(["a", "b"], "e", SPEC, dimensions=2)
    assert request.url == "http://127.0.0.1/v1/embeddings"
    assert request.body == b'{"model":"e","input":["a","b"],"encoding_format":"float","dimensions":2}'
    short = Spec("toy", "openai_chat", capabilities={"embed_base64": True})
    assert json.loads(openai_responses.build_embed(("a",), "e", short).body) == {
        "model": "e",
        "input": ["a"],
        "encoding_format": "base64",
    }
    with pytest.raises(BadRequestError, match="texts"):
        openai_chat.build_embed([], "e", SPEC)


def test_vectors_come_in_the_order_of_the_texts_in_either_encoding():
    rows = [{"index": 1, "embedding": packed(0.5, -2)}, {"index": 0, "embedding": [1, 0.25]}]
    found = openai_chat.decode_embed(reply(*rows, usage={"prompt_tokens": 3, "total_tokens": 3}))
    assert (found.data.tolist(), found.shape, found.model) == ([1, 0.25, 0.5, -2], (2, 2), "e")
    assert found.usage == Usage(input=3)
    unnumbered = openai_chat.decode_embed(b"\xef\xbb\xbf" + reply({"embedding": [1]}, {"embedding": [2]}))
    assert unnumbered.data.tolist() == [1, 2]


@pytest.mark.parametrize("body", [{"error": {"message": "no"}}, {"detail": "no"}, {"object": "error", "message": "no"}])
def test_an_error_under_a_good_status(body):
    found = openai_chat.decode_embed(json.dumps(body).encode())
    assert isinstance(found, ErrorDelta) and found.message == "no"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"data": [{"embedding": [1',
        reply(),
        reply({"index": 1, "embedding": [1]}),
        reply({"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}),
        reply({"index": "0", "embedding": [1]}),
        reply({"embedding": [1, 2]}, {"embedding": [1]}),
        reply({"embedding": []}),
        reply({"embedding": ["x"]}),
        reply({"embedding": None}),
        reply({"embedding": "!!!"}),
        reply({"embedding": packed(1.0)[:4]}),
        reply(7),
        b'{"data": [{"embedding": [NaN]}]}',
        b'{"data": [{"embedding": [1e999]}]}',
        reply({"embedding": packed(float("nan"))}),
    ],
)
def test_what_is_no_vector_is_one_typed_error(body):
    with pytest.raises(ProtocolError):
        openai_chat.decode_embed(body)
