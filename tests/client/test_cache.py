"""The cache: another request is another key, a secret is in none, and what is damaged is a miss."""

from __future__ import annotations

import importlib
import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.cache import ROW, FileCache, MemoryCache, key_of, sampled
from tinyllm.client.types import Call, Completion, HttpRequest, Message, Secret, Spec, Tool, ToolCall, Usage
from tinyllm.errors import ConfigError

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0, "max_tokens": 8}
WHOLE = Completion(
    "4 \U00010348 C",
    (ToolCall("call_7", "weather", '{"city": "Oslo"}'),),
    "tool_calls",
    "tool_use",
    Usage(58, 14, 0, None, 3),
    cost=99,
    provider="p",
    model="m",
    echo={"signature": ["x"]},
    raw={"id": "c9"},
)


def request(body=BODY, url="https://x/v1/chat", **headers):
    return HttpRequest("POST", url, headers, json.dumps(body).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda part: st.lists(part, max_size=2) | st.dictionaries(st.text(max_size=3), part, max_size=2),
    max_leaves=4,
)


@settings(derandomize=True, max_examples=20)
@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON), st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON))
def test_keys_are_equal_exactly_where_bodies_are(one, two):
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)  # so that 1, 1.0 and true differ
    assert (key_of(request(one), "w") == key_of(request(two), "w")) == same


def test_every_parameter_counts():
    base = request(**{"anthropic-version": "2026-10-21"})
    others = [request({**BODY, name: "another"}) for name in (*BODY, "seed")]
    others += [request(BODY, "https://y/v1/chat"), request(BODY, "https://x/v1/chat?beta=1"), request()]
    others += [request(**{"anthropic-version": "2023-06-01"}), HttpRequest("POST", base.url, base.headers, b"Hi")]
    keys = {key_of(one, "w") for one in [base, *others]}
    keys |= {key_of(base, "v"), key_of(base, "w", 2), key_of(base, "w", 1, "v2")}
    assert len(keys) == len(others) + 4


def test_secrets_and_streaming_do_not_count():
    plain = key_of(request(), "w")
    for name in ("Authorization", "x-api-key", "X-Portkey-Key", "x-auth", "Cookie", "User-Agent", "Content-Length"):
        assert key_of(request(**{name: "planted"}), "w") == plain, name
    assert key_of(request({**BODY, "stream": True, "stream_options": {"include_usage": True}}), "w") == plain
    for url in ("https://x/v1/chat?key=planted", "https://user:planted@x/v1/chat", "https://x/v1/chat?api_key=planted"):
        assert key_of(request(BODY, url), "w") == plain, url
    streamed = request(BODY, "https://x/v1/models/m:streamGenerateContent?alt=sse")
    assert key_of(streamed, "g") == key_of(request(BODY, "https://x/v1/models/m:generateContent"), "g")


@pytest.mark.parametrize("wire", ["openai_chat", "openai_responses", "anthropic", "gemini", "ollama"])
def test_with_what_the_adapters_send(wire):
    adapter = importlib.import_module(f"tinyllm.client.providers.{wire}")
    spec = Spec("p", wire, "https://x", key=Secret("planted"), api_version={"anthropic": "2023-06-01"}.get(wire))
    call = Call((Message("user", "Hi"),), "m", max_tokens=8)
    changes = [
        {"messages": (Message("user", "Ho"),)},
        {"model": "n"},
        {"max_tokens": 9},
        {"temperature": 0.5},
        {"top_p": 0.5},
        {"stop": ("x",)} if wire != "openai_responses" else {"extra": {"metadata": {"a": "b"}}},
        {"tools": (Tool("f"),)},
        {"tools": (Tool("f"),), "tool_choice": "required"},
        {"schema": {"type": "object"}},
        {"extra": {"top_k": 3}},
    ]

    def key(call, spec=spec):
        return key_of(adapter.build_request(call, spec), wire, api_version=spec.api_version)

    plain = key(call)
    assert key(replace(call, stream=False)) == plain == key(call, replace(spec, key=Secret("another")))
    if wire == "ollama":
        changes.remove({"tools": (Tool("f"),), "tool_choice": "required"})  # its wire has no such word
    assert len({plain, *(key(replace(call, **change)) for change in changes)}) == len(changes) + 1


def test_order_of_a_body_does_not_count_and_nested_stream_does():
    assert key_of(request(dict(reversed(BODY.items()))), "w") == key_of(request(), "w")
    inside = request({**BODY, "metadata": {"stream": True}})
    assert key_of(inside, "w") != key_of(request({**BODY, "metadata": {}}), "w")


def test_sampled():
    assert sampled(b"{}") and sampled(b"[]") and sampled(b"\xff") and sampled(b'{"temperature": 0.1}')
    assert not sampled(b'{"generationConfig": {"temperature": 0}}') and not sampled(b'{"seed": 0}')


@pytest.fixture(params=["memory", "file"])
def make(request, tmp_path):
    made = []

    def build(**settings):
        cache = MemoryCache(**settings) if request.param == "memory" else FileCache(tmp_path / "c.sqlite", **settings)
        made.append(cache)
        return cache

    yield build
    for cache in made:
        if isinstance(cache, FileCache):
            cache.close()


def test_an_answer_comes_back_as_it_was(make):
    cache = make()
    assert cache.put("k", WHOLE) and cache.get("other") is None
    found = cache.get("k")
    assert found == WHOLE.with_(attempts=0, cost=0) and (cache.hits, cache.misses) == (1, 1)
    found.echo["signature"].append("y")  # another reader's copy is another one
    assert cache.get("k").echo == {"signature": ["x"]}
    cache.clear()
    assert cache.get("k") is None and cache.nbytes == 0


@pytest.mark.parametrize("finish", ["length", "content_filter", "refusal", "pause", "error", "other", "truncated"])
def test_only_whole_answers_are_kept(make, finish):
    cache = make()
    assert not cache.put("k", Completion("x", finish=finish)) and cache.get("k") is None
    assert not cache.put("k", Completion("x", finish="stop", partial=(ToolCall("1", "f", "{"),)))
    assert not cache.put("k", Completion("x", finish="stop", raw={"x": object()}))


def test_true_bytes_and_least_recently_used(make):
    cache = make(max_bytes=3 * (ROW + 1000))
    text = "x" * 600  # with all that is beside it, three answers fit
    for key in "abc":
        assert cache.put(key, Completion(text, finish="stop"))
    assert cache.nbytes <= cache.max_bytes and cache.get("a")
    cache.put("d", Completion(text, finish="stop"))
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"] and cache.evicted == 1
    assert not cache.put("e", Completion("x" * 5000, finish="stop"))  # larger than all of it
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    assert cache.put("a", Completion("short", finish="stop")) and cache.get("a").text == "short"


def test_answers_grow_old(make):
    now = [100.0]
    cache = make(ttl=10.0, clock=lambda: now[0])
    cache.put("k", WHOLE)
    now[0] = 109.9
    assert cache.get("k")
    now[0] = 110.0
    assert cache.get("k") is None and cache.nbytes == 0


def test_damage_is_a_miss(tmp_path):
    path = tmp_path / "c.sqlite"
    with FileCache(path) as cache:
        cache.put("flipped", WHOLE)
        cache.put("moved", WHOLE)
        cache.put("typed", WHOLE)
        cache.put("sound", WHOLE)
    other = sqlite3.connect(path)
    other.execute("UPDATE answers SET data=CAST(REPLACE(data, 'Oslo', 'Rome') AS BLOB) WHERE key='flipped'")
    other.execute("UPDATE answers SET key='elsewhere' WHERE key='moved'")
    other.execute("UPDATE answers SET data='text' WHERE key='typed'")
    other.commit()
    other.close()
    with FileCache(path) as cache:
        assert [cache.get(key) for key in ("flipped", "elsewhere", "typed")] == [None] * 3 and cache.damaged == 3
        assert cache.get("sound") and cache.put("flipped", WHOLE) and cache.get("flipped")


def test_a_cache_never_fails_a_call(tmp_path):
    path = tmp_path / "c.sqlite"
    with FileCache(path, patience=0.01) as cache:
        cache.put("k", WHOLE)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert not cache.put("l", WHOLE) and cache.get("k").text == WHOLE.text  # read, though its use is not noted
        other.execute("DROP TABLE answers")
        other.execute("COMMIT")
        other.close()
        assert cache.get("k") is None and not cache.put("k", WHOLE) and cache.nbytes == 0


def test_files_that_are_no_cache(tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("no database" * 100)
    for path in (bad, tmp_path, tmp_path / "no" / "folder"):
        with pytest.raises(ConfigError):
            FileCache(path)
    FileCache(tmp_path / "new").close()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_two_processes(tmp_path):
    path = tmp_path / "c.sqlite"
    code = (
        "import sys\nfrom tinyllm.client.cache import FileCache\nfrom tinyllm.client.types import Completion\n"
        "with FileCache(sys.argv[1]) as cache:\n    for i in range(30):\n"
        "        assert cache.put(f'{sys.argv[2]}-{i}', Completion(str(i), finish='stop'))\n"
        "        assert cache.put(f'both-{i}', Completion(str(i), finish='stop'))\n"
    )
    root = Path(__file__).parents[2]
    both = [subprocess.Popen([sys.executable, "-c", code, str(path), name], cwd=root) for name in "ab"]
    assert [process.wait(60) for process in both] == [0, 0]
    with FileCache(path) as cache:
        assert all(cache.get(f"{name}-{i}").text == str(i) for name in ("a", "b", "both") for i in range(30))


@pytest.mark.parametrize("settings", [{"max_bytes": 0}, {"max_bytes": 1.5}, {"ttl": 0}, {"ttl": float("nan")}])
def test_limits_that_make_no_sense(settings):
    with pytest.raises(ConfigError):
        MemoryCache(**settings)
