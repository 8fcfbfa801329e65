"""What adapters share: bodies, headers, frames of any kind, fields of the right kind, vectors."""

from __future__ import annotations

import json

import pytest

from tinyllm.client.errors import BadRequestError, ProtocolError
from tinyllm.client.providers import adapter
from tinyllm.client.providers.adapter import Characters, EventFrames, count, embeddings, get, objects, post
from tinyllm.client.types import Secret, Spec, ToolCall


def test_a_request_has_its_key_once_and_the_users_headers_win():
    spec = Spec("p", "w", "https://api.example", key=Secret("planted"), headers={"Accept": "x", "A": "b"})
    request = post(spec, "/v1", {"text": "é"}, headers={"B": "c"})
    assert request.headers == {
        "Content-Type": "application/json",
        "Accept": "x",
        "Authorization": "Bearer planted",
        "A": "b",
        "B": "c",
    }
    assert request.body == '{"text":"é"}'.encode() and request.url == "https://api.example/v1"
    assert "x-other" in post(spec, "", {}, auth="x-other").headers
    assert "planted" not in str(post(spec, "", {}, auth="none").headers)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_is_no_json_is_not_sent(value):
    with pytest.raises(BadRequestError, match="p: "):
        post(Spec("p", "w"), "/v1", {"x": value})


@pytest.mark.parametrize("arguments", ["[1]", "{", "7", "[" * 99999])
def test_arguments_are_an_object(arguments):
    with pytest.raises(BadRequestError, match="'c1'"):
        adapter.arguments_of(ToolCall("c1", "f", arguments), Spec("p", "w"))


@pytest.mark.parametrize(
    ("data", "whole"),
    [(b'data: {"a": 1}\n\ndata: [DONE]\n\n', False), (b'\n {"a": 1} ', True), (b'[{"a": 1}]', True)],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_frames_of_any_kind_behind_a_mark(data, whole, mark):
    data = mark + data
    for cut in range(len(data) + 1):
        frames = EventFrames()
        found = [one for piece in (data[:cut], data[cut:]) for one in frames.feed(piece)]
        assert [*found, *frames.close()] == [{"a": 1}]
        assert frames.whole == whole and frames.clean


def test_a_reply_in_one_piece_has_a_limit(monkeypatch):
    monkeypatch.setattr(adapter, "LONGEST_REPLY", 99)
    frames = EventFrames()
    assert list(frames.feed(b"{" + b" " * 98)) == []
    with pytest.raises(ProtocolError, match="99"):
        list(frames.feed(b" "))


def test_fields():
    assert get({"a": None}, "a", list) == [] and get({"a": False}, "a", bool) is False
    assert objects({"a": [{"b": 1}]}, "a") == [{"b": 1}]
    for call in (lambda: get({"a": 1}, "a", str), lambda: objects({"a": [1]}, "a")):
        with pytest.raises(ProtocolError):
            call()
    assert [count({"n": n}, "n") for n in (3, 0, -1, True, 2.0, "3", None)] == [3, 0, None, None, None, None, None]


def test_characters():
    text = Characters()
    assert text.feed("a\ud83d") == "a" and text.feed("\ude00") == "\U0001f600" and text.close() == ""
    assert text.feed("\udead\ud83d") == "\ufffd" and text.feed("") == "" and text.close() == "\ufffd"
    assert json.loads(adapter.json_text({"a": "\ud83d\ude00\ud83d"})) == {"a": "\U0001f600\ufffd"}


@pytest.mark.parametrize("rows", [[[1], [1, 2]], [[]], [1], [[1, None]], [["1"]], [[10**400]]])
def test_vectors_that_are_none(rows):
    with pytest.raises(ProtocolError):
        embeddings(rows, "p")


def test_no_vectors():
    assert embeddings([], "p").shape == (0, 0)
