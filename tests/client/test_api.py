"""One path for every provider: requests out, deltas in, tried again, fallen back, cached, paid for, told."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from email.utils import formatdate

import numpy as np
import pytest

import tinyllm as tl
from tinyllm import kernels
from tinyllm.client.api import Client
from tinyllm.client.cache import MemoryCache
from tinyllm.client.errors import (
    AllFailedError,
    AuthError,
    BadRequestError,
    ConnectionFailedError,
    IdleTimeout,
    OverloadedError,
    ProviderError,
    RateLimitedError,
    StreamInterruptedError,
    TruncatedError,
    UnsupportedParamError,
)
from tinyllm.client.reading import replayed
from tinyllm.client.retry import Retry
from tinyllm.client.transport import Response
from tinyllm.client.types import Completion, TextDelta, ToolCall, Usage
from tinyllm.errors import ConfigError
from tinyllm.tokenizer import ByteTokenizer


def sse(*frames):
    return "".join(f"data: {frame if isinstance(frame, str) else json.dumps(frame)}\n\n" for frame in frames).encode()


def said(*texts, finish="stop", usage=None):
    frames = [{"id": "c", "model": "m-1", "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    frames.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    frames += [{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}] if usage else []
    return sse(*frames, "[DONE]")


class Line:
    """A transport that answers as the test says, and keeps what it was sent."""

    def __init__(self, *answers):
        self.answers, self.sent, self.open = list(answers), [], 0

    def send(self, request, deadline):
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body, *more = answer if isinstance(answer, tuple) else (200, answer)
        self.open += 1
        chunks = body if isinstance(body, list) else [body[place : place + 7] for place in range(0, len(body), 7)]

        def flow():
            for chunk in chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk

        return Response(status, {"content-type": "text/event-stream", **dict(*more)}, flow(), self.free)

    def free(self):
        self.open -= 1


class Stopped:
    """A clock that goes on only while somebody sleeps."""

    def __init__(self):
        self.time = 100.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


def client(*answers, **environ):
    line, clock = Line(*answers), Stopped()
    made = Client(transport=line, clock=clock, chance=lambda: 0.5, environ={"OPENAI_API_KEY": "sk-planted", **environ})
    made.line, made.watch = line, clock
    return made


ASKED = ("Hi", "openai", "m")


def test_an_answer_and_what_was_sent():
    one = client(said("Hel", "lo", usage=True))
    found = one.complete(*ASKED, max_tokens=9, temperature=0.5, stop="x")
    assert (str(found), found.finish, found.provider, found.model) == ("Hello", "stop", "openai", "m-1")
    assert (found.usage.input, found.usage.output, found.attempts, found.cost) == (5, 2, 1, None)
    (request,) = one.line.sent
    body = json.loads(request.body)
    assert request.url.endswith("/chat/completions") and request.headers["Authorization"] == "Bearer sk-planted"
    assert body["messages"] == [{"role": "user", "content": "Hi"}] and body["stop"] == ["x"] and body["stream"] is True
    assert one.line.open == 0 and found.trace.pieces == 2 and "sk-planted" not in repr(found) + found.trace.line()


def test_it_comes_piece_by_piece():
    one = client(said("a", "b"))
    with one.stream(*ASKED) as pieces:
        assert one.line.sent == []
        assert list(pieces.text()) == ["a", "b"]
        assert pieces.result().text == "ab"
    assert one.line.open == 0


def test_closed_early_the_line_is_free():
    one = client(said("a", "b", "c"))
    with one.stream(*ASKED) as pieces:
        while not isinstance(next(pieces), TextDelta):
            pass
        assert one.line.open == 1 and pieces.partial.text == "a" and pieces.partial.finish == "truncated"
    assert one.line.open == 0


def test_it_is_tried_again_after_a_wait():
    one = client((529, b"{}"), ConnectionFailedError("refused"), said("ok"))
    found = one.complete(*ASKED, retry=Retry(max_attempts=3))
    assert found.text == "ok" and found.attempts == 3 and one.watch.time > 100 and len(found.trace.attempts) == 3


def test_a_refusal_is_one_error_and_no_retry():
    one = client((400, b'{"error": {"message": "no such thing", "type": "invalid_request_error"}}'))
    with pytest.raises(BadRequestError, match="no such thing"):
        one.complete(*ASKED)
    assert one.line.open == 0


def test_a_wait_may_be_told_as_a_date():
    later = formatdate(time.time() + 3600, usegmt=True)
    one = client((429, b"{}", {"retry-after": later}))
    with pytest.raises(RateLimitedError) as caught:  # longer than what is left of the total: at once
        one.complete(*ASKED)
    assert 3500 < caught.value.retry_after < 3700 and len(one.line.sent) == 1


def test_nothing_is_tried_again_once_something_was_shown():
    broken = [said("a", "b")[:140], ConnectionFailedError("reset")]
    one = client(broken, said("never"))
    pieces = one.stream(*ASKED)
    with pytest.raises(StreamInterruptedError) as caught:
        list(pieces)
    assert caught.value.partial.text == "a" and len(one.line.sent) == 1
    two = client(broken, said("whole"))
    assert two.complete(*ASKED).text == "whole"  # nobody had seen anything


@pytest.mark.parametrize("late", [ConnectionFailedError("reset"), IdleTimeout("silence")])
def test_what_breaks_after_the_end_breaks_nothing(late):
    record = {"candidates": [{"content": {"parts": [{"text": "4 C"}]}, "finishReason": "STOP"}]}
    one = client([sse(record), late], GEMINI_API_KEY="k")  # whose end is known for sure only when the line closes
    found = one.complete("Hi", "gemini", "m")
    assert (found.text, found.finish) == ("4 C", "stop") and len(one.line.sent) == 1 and one.line.open == 0


@pytest.mark.parametrize("cut", [b"", said("a", "b")[:-70]])
def test_an_end_without_a_sign_is_no_success(cut):
    one = client(cut, cut, cut)
    with pytest.raises(TruncatedError):
        one.complete(*ASKED)


def test_somebody_else_is_asked_only_with_leave():
    one = client((529, b"{}"), (529, b"{}"), (529, b"{}"), said("ok"), GROQ_API_KEY="gsk-1")
    with pytest.raises(ConfigError, match="would get to read"):
        one.stream(*ASKED, fallback=[("groq", "g")])
    found = one.complete(*ASKED, fallback=[("groq", "g")], allow_cross_provider=True)
    assert found.provider == "groq" and found.text == "ok" and found.attempts == 4
    two = client(*[(429, b"{}")] * 6, GROQ_API_KEY="gsk-1")
    with pytest.raises(AllFailedError) as caught:
        two.complete(*ASKED, fallback=[("groq", "g")], allow_cross_provider=True)
    assert [type(error) for error in caught.value.attempts] == [RateLimitedError, RateLimitedError]


def test_the_total_is_kept_over_retries():
    one = client(*[(529, b"{}")] * 9)
    with pytest.raises(OverloadedError):
        one.complete(*ASKED, timeout=2, retry=Retry(max_attempts=9))
    assert one.watch.time <= 102 and 1 < len(one.line.sent) < 9


def test_what_is_cached_is_not_asked_again():
    one, kept = client(said("once", usage=True), said("other"), said("any"), said("any")), MemoryCache()
    first = one.complete(*ASKED, cache=kept, temperature=0)
    again = one.complete(*ASKED, cache=kept, temperature=0)
    assert first.text == again.text == "once" and len(one.line.sent) == 1 and again.cost == 0
    assert one.complete("Ho", "openai", "m", cache=kept, seed=1).text == "other"
    for _ in range(2):  # another draw each time, unless it is asked for
        assert one.complete(*ASKED, cache=kept).text == "any"
    assert len(one.line.sent) == 4


def test_a_sampled_answer_is_kept_if_asked_for():
    one, kept = client(said("once")), MemoryCache()
    assert [one.complete(*ASKED, cache=kept, cache_sampled=True).text for _ in range(2)] == ["once", "once"]


def test_a_parameter_that_the_model_does_not_take():
    one = client(sse({"type": "x"}), ANTHROPIC_API_KEY="k")
    asked = ("Hi", "anthropic", "m")
    with pytest.raises(UnsupportedParamError, match="temperature"):
        one.complete(*asked, temperature=0.5, max_tokens=5)
    assert one.line.sent == []
    pieces = one.stream(*asked, temperature=0.5, max_tokens=5, on_unsupported="drop", retry=Retry(1))
    with suppress(ProviderError):
        list(pieces)
    assert "temperature" not in json.loads(one.line.sent[0].body)
    with pytest.raises(ConfigError, match="on_unsupported='ignore'"):
        one.stream(*asked, on_unsupported="ignore")


def test_what_is_missing_is_said():
    with pytest.raises(AuthError, match="anthropic: no key"):
        client().stream("Hi", "anthropic", "m")
    with pytest.raises(ConfigError, match="which model"):
        client().stream("Hi", "openai")
    with pytest.raises(ConfigError, match="no provider"):
        client().stream("Hi", "opnai", "m")
    with pytest.raises(ConfigError, match="one string"):
        client().embed("text", "openai", "m")
    with pytest.raises(UnsupportedParamError, match="makes no vectors"):
        client(ANTHROPIC_API_KEY="k").embed(["text"], "anthropic", "m")


def test_vectors():
    body = json.dumps({"model": "e", "data": [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]})
    one = client((500, b"{}"), body.encode())
    found = one.embed(["a", "b"], "openai", "e")
    assert (
        np.asarray(found.view).tolist() == [[1, 0], [0, 1]] and found.provider == "openai" and len(one.line.sent) == 2
    )


def test_the_model_of_ones_own_is_a_provider_like_any(tmp_path):
    config = tl.GPTConfig.preset("modern", vocab_size=256, block_size=64, n_layer=1, n_head=2, n_embd=16)
    path = tl.save(tl.GPT(config, np.random.default_rng(0)), ByteTokenizer(), tmp_path / "own")
    one = Client(transport=Line(), clock=Stopped(), environ={"TINYLLM_LOCAL": str(path)})
    with kernels.use("numpy"):
        found = one.complete("to be", max_tokens=7, seed=1)
        again = one.complete("to be", "local", str(path), max_tokens=7, seed=1)
        tl.save(tl.GPT(config, np.random.default_rng(1)), ByteTokenizer(), path, overwrite=True)
        other = one.complete("to be", max_tokens=7, seed=1)
    assert other.text != found.text  # what was saved meanwhile is what answers
    assert found.provider == "local" and found.model == "own" and found.cost == 0 and found.usage.output == 7
    assert found.text == again.text and found.finish == "length"


def test_a_trace_is_a_line_in_a_file(tmp_path):
    one = client(said("ok", usage=True))
    one.complete("secret prompt", "openai", "m", trace=tmp_path / "t.jsonl")
    (line,) = (tmp_path / "t.jsonl").read_text().splitlines()
    assert json.loads(line)["finish"] == "stop" and "secret prompt" not in line and "sk-planted" not in line


def test_replayed_is_the_same_again():
    from tinyllm.client.assemble import Assembler

    whole = Completion("a", (ToolCall("i", "f", "{}"),), "tool_calls", usage=Usage(1, 2), model="m")
    answer = Assembler()
    for delta in replayed(whole):
        answer.add(delta)
    assert answer.completion() == whole
