"""The trace: times of a clock that is handed in, nothing of texts unless asked, one line of JSON each."""

from __future__ import annotations

import json
import tracemalloc
from types import SimpleNamespace

import pytest

from tinyllm.client.deadline import Deadline, Timeout
from tinyllm.client.errors import ConnectionFailedError, OverloadedError
from tinyllm.client.trace import Tracer, quantile
from tinyllm.client.types import (
    Began,
    Completion,
    Done,
    Message,
    ReasoningDelta,
    TextDelta,
    ToolArgsDelta,
    ToolDone,
    ToolStart,
    Usage,
    UsageUpdate,
)


class Clock:
    now = 50.0

    def __call__(self):
        return self.now


def test_where_the_time_went():
    clock = Clock()
    tracer = Tracer(clock, prompt=[Message("user", "my secret plan")])
    clock.now += 0.5
    with pytest.raises(OverloadedError), tracer.attempt("p", "m"):
        with tracer.phase("send"):
            clock.now += 0.25
        raise OverloadedError("too much", status=529)
    clock.now += 1.0
    with tracer.attempt("p", "m", waited=1.0) as attempt:
        for name, seconds in (("dns", 0.01), ("connect", 0.02), ("tls", 0.04), ("send", 0.08)):
            with tracer.phase(name):
                clock.now += seconds
        tracer.sent(300)
        clock.now += 0.5
        attempt.status = 200
        tracer.received(10)
        tracer.received(20)
        tracer.delta(Began("c9"))
        tracer.delta(TextDelta(""))
        clock.now += 0.25
        for text in ("a", "b", "c"):
            tracer.delta(TextDelta(text))
            clock.now += 0.5
        tracer.delta(UsageUpdate(Usage(10, 5)))
        tracer.delta(Done("stop"))
    trace = tracer.done(Completion("abc", finish="stop", usage=Usage(10, 5), cost=7))
    first, second = trace.attempts
    assert (first.error, first.status, first.maybe_billed, first.send) == ("E-OVERLOADED", 529, False, 0.25)
    assert second.began == pytest.approx(1.75) and second.waited == 1.0 and second.status == 200
    assert [second.dns, second.connect, second.tls, second.send] == pytest.approx([0.01, 0.02, 0.04, 0.08])
    assert second.first_byte == pytest.approx(0.65)
    assert trace.ttft == pytest.approx(1.75 + 0.9) and trace.last == pytest.approx(trace.ttft + 1.0)
    assert trace.gap_p50 == trace.gap_p95 == pytest.approx(0.5) and trace.pieces == 3
    assert trace.tokens_per_second == pytest.approx(4.0)  # four tokens after the first, in one second
    assert (trace.bytes_sent, trace.bytes_received, trace.cost, trace.peak_memory) == (300, 30, 7, None)
    assert "secret" not in trace.line() and "abc" not in trace.line() and trace.prompt is trace.text is None


def test_what_a_deadline_has_noted():
    clock = Clock()
    watch = SimpleNamespace(now=clock, sleep=None)
    tracer = Tracer(clock)
    clock.now += 1.0
    deadline = Deadline(Timeout(), watch)
    for failing in (True, False):
        clock.now += 1.0
        try:
            with tracer.attempt("p", "m", deadline=deadline):
                deadline.connecting("x")
                for name, seconds in (("dns", 0.5), ("connect", 0.25), ("tls", 0.125)):
                    clock.now += seconds
                    deadline.mark(name)
                if failing:
                    raise ConnectionFailedError("reset", reason="sent")
                clock.now += 2.0
                deadline.waiting()
                clock.now += 4.0
                deadline.mark("headers")
        except ConnectionFailedError:
            continue
        clock.now += 8.0
        deadline.body()
    first, second = tracer.done().attempts
    assert (first.dns, first.connect, first.tls, first.send) == (0.5, 0.25, 0.125, None) and first.maybe_billed
    assert (second.dns, second.connect, second.proxy, second.tls, second.send) == (0.5, 0.25, None, 0.125, 2.0)
    assert (second.headers, second.first_byte) == (6.875, 14.875)


def test_a_lost_answer_may_be_on_the_bill():
    tracer = Tracer(Clock())
    with pytest.raises(ConnectionFailedError), tracer.attempt("p", "m"):
        with tracer.phase("send"):
            pass
        raise ConnectionFailedError("reset")
    with pytest.raises(ConnectionFailedError), tracer.attempt("p", "m"):
        with tracer.phase("dns"):
            pass
        raise ConnectionFailedError("no such host", reason="dns")
    trace = tracer.done(error=ConnectionFailedError("x"))
    assert [one.maybe_billed for one in trace.attempts] == [True, False] and trace.error == "E-CONNECTION"


def test_calls_and_thoughts_are_content():
    for deltas, speed in (
        ([ToolStart(0, "call_0", "f"), ToolArgsDelta(0, ""), ToolArgsDelta(0, "{}"), ToolDone(0)], 4.0),
        ([ReasoningDelta("hm"), TextDelta("a")], 14.0),  # thoughts that were shown are tokens of this time
    ):
        clock = Clock()
        tracer = Tracer(clock)
        for delta in deltas:
            tracer.delta(delta)
            clock.now += 0.5 if not (isinstance(delta, ToolArgsDelta) and not delta.text) else 0.0
        trace = tracer.done(Completion("", finish="stop", usage=Usage(1, 3, reasoning=5)))
        assert trace.pieces == 2 and trace.ttft == 0.0 and trace.last == 0.5
        assert trace.tokens_per_second == speed


def test_nothing_is_made_up():
    trace = Tracer(Clock()).done()
    assert (trace.ttft, trace.gap_p50, trace.tokens_per_second, trace.usage) == (None, None, None, Usage())
    tracer = Tracer(Clock())
    tracer.delta(TextDelta("all at once"))
    assert tracer.done(Completion("", usage=Usage(1, 100))).tokens_per_second is None


def test_texts_and_memory_where_asked(tmp_path):
    assert not tracemalloc.is_tracing()
    tracer = Tracer(Clock(), memory=True, texts=True, prompt=[Message("user", "Hi")])
    held = bytearray(3_000_000)
    del held
    trace = tracer.done(Completion("Hello\nyou", finish="stop"))
    assert 3_000_000 <= trace.peak_memory < 6_000_000 and not tracemalloc.is_tracing()
    trace.append(tmp_path / "trace.jsonl")
    trace.append(tmp_path / "trace.jsonl")
    lines = (tmp_path / "trace.jsonl").read_text().splitlines()
    assert len(lines) == 2 and json.loads(lines[0])["prompt"] == ["Hi"] and json.loads(lines[1])["text"] == "Hello\nyou"
    assert "ttft" not in json.loads(lines[0])


def test_quantile():
    values = [float(i) for i in range(1, 21)]
    assert [quantile(values, part) for part in (0.0, 0.05, 0.5, 0.95, 1.0)] == [1.0, 1.0, 10.0, 19.0, 20.0]
