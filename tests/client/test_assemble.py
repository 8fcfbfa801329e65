"""What a stream ends as: whole only if its provider said so, and no call that may have been cut is ever executed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.assemble import Assembler
from tinyllm.client.types import (
    Began,
    Completion,
    Done,
    EchoDelta,
    ErrorDelta,
    ReasoningDelta,
    TextDelta,
    ToolArgsDelta,
    ToolCall,
    ToolDone,
    ToolStart,
    Usage,
    UsageUpdate,
)

LAW = settings(derandomize=True, deadline=None, max_examples=20)
FINISHES = ["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other", "truncated"]


def assemble(*deltas, **options) -> Completion:
    answer = Assembler(**options)
    for delta in deltas:
        answer.add(delta)
    return answer.completion()


def test_a_whole_answer():
    found = assemble(
        Began("c9", "m-2026"),
        ReasoningDelta("so "),
        TextDelta("4 "),
        UsageUpdate(Usage(input=58, output=1, cache_read=3)),
        ReasoningDelta("cold"),
        TextDelta("C"),
        UsageUpdate(Usage(input=58, output=14)),
        Done("stop", "end_turn"),
        provider="p",
        model="m",
    )
    assert found == Completion(
        "4 C",
        finish="stop",
        raw_finish="end_turn",
        usage=Usage(input=58, output=14),
        provider="p",
        model="m-2026",
        reasoning="so cold",
        raw={"id": "c9"},
    )
    assert not found.incomplete and found.usage.cache_read is None, "the last usage counts, and nothing is added up"


def test_nothing_is_invented():
    assert assemble() == Completion("", finish="truncated") and assemble().incomplete
    assert assemble(Began(), Done("stop"), model="m") == Completion("", finish="stop", model="m")
    assert assemble(Began("a", "b"), Began(None, None)).raw == {"id": "a"}


ALMOST_ALL = [TextDelta("a"), UsageUpdate(Usage(1, 2)), ToolStart(0, "i", "f"), ToolArgsDelta(0, "{}"), ToolDone(0)]
ALMOST_ALL += [ToolDone(0, "{}"), EchoDelta("k", [1]), Began("x", "y")]


@LAW
@given(st.lists(st.sampled_from(ALMOST_ALL), max_size=8))
def test_without_the_end_it_is_never_a_success(deltas):
    found = assemble(*deltas)
    assert found.finish == "truncated" and found.incomplete and found.tool_calls == () and found.raw_finish is None


def test_errors():
    busy = ErrorDelta("busy", type="overloaded_error", code="529")
    for deltas in (
        [TextDelta("a"), busy],
        [TextDelta("a"), busy, Done("stop", "stop")],
        [TextDelta("a"), busy, ErrorDelta("b")],
    ):
        found = assemble(*deltas)
        assert (found.text, found.finish, found.raw_finish, found.incomplete) == (
            "a",
            "error",
            "overloaded_error",
            True,
        )
    assert assemble(ErrorDelta("x", code="c")).raw_finish == "c"
    late = assemble(Done("stop", "end"), busy, Done("length"))
    assert (late.finish, late.raw_finish, late.incomplete) == ("stop", "end", False), "after the end it changes nothing"
    answer = Assembler()
    answer.add(busy)
    assert answer.error is busy and answer.done is None
    found = assemble(ToolStart(0, "i", "f"), ToolArgsDelta(0, "{}"), busy, Done("tool_calls"))
    assert found.tool_calls == () and found.partial == (ToolCall("i", "f", "{}"),)


def call(index: int, text: str, *pieces: str) -> list:
    return [ToolStart(index, f"call_{index}", text), *(ToolArgsDelta(index, piece) for piece in pieces)]


@pytest.mark.parametrize("finish", FINISHES)
def test_who_may_be_executed(finish):
    found = assemble(*call(0, "f", '{"a"', ": 1}"), ToolDone(0), Done(finish))
    one = (ToolCall("call_0", "f", '{"a": 1}'),)
    if finish in ("tool_calls", "stop"):
        assert (found.tool_calls, found.partial, found.incomplete) == (one, (), False)
    else:
        assert (found.tool_calls, found.partial, found.incomplete) == ((), one, True)


BAD = ["{", '{"a": 1', '{"a": 1}}', '{"a": 1} {}', "[1]", "12", "null", '"a"', '{"a": NaN}', " ", "[" * 5000, "}"]


@pytest.mark.parametrize("arguments", BAD, ids=range(len(BAD)))
@pytest.mark.parametrize("ended", [[], [ToolDone(0)]], ids=["open", "done"])
def test_what_is_no_whole_object_is_never_executed(arguments, ended):
    found = assemble(*call(0, "f", arguments), *ended, *call(1, "g", "{}"), Done("tool_calls"))
    assert found.tool_calls == (ToolCall("call_1", "g", "{}", 1),), "those beside it are"
    assert found.partial == (ToolCall("call_0", "f", arguments),) and found.incomplete


def test_every_cut_of_a_call_is_partial():
    arguments = '{"text": "}\\"}", "n": 12}'
    for cut in range(1, len(arguments)):
        found = assemble(*call(0, "f", arguments[:cut]), Done("tool_calls"))
        assert found.tool_calls == () and found.partial[0].arguments == arguments[:cut]


def test_no_arguments_are_an_empty_object():
    for deltas in (call(0, "f"), call(0, "f", "", ""), [*call(0, "f"), ToolDone(0)], [*call(0, "f"), ToolDone(0, "")]):
        found = assemble(*deltas, Done("tool_calls"))
        assert found.tool_calls == (ToolCall("call_0", "f", "{}"),) and found.tool_calls[0].parsed() == {}
        assert assemble(*deltas).partial == (ToolCall("call_0", "f", ""),), "without an end nobody knows"


@LAW
@given(st.data())
def test_parallel_calls_may_interleave(data):
    arguments = {n: json.dumps({"n": n, "text": "ab{}" * n}) for n in data.draw(st.permutations([0, 1, 5]))}
    deltas, left = [], dict(arguments)
    for n in arguments:
        deltas.append(ToolStart(n, f"call_{n}", "f"))
    while any(left.values()):
        n = data.draw(st.sampled_from([n for n in left if left[n]]))
        size = data.draw(st.integers(1, 9))
        deltas.append(ToolArgsDelta(n, left[n][:size]))
        left[n] = left[n][size:]
    found = assemble(*deltas, Done("tool_calls"))
    assert found.tool_calls == tuple(ToolCall(f"call_{n}", "f", text, n) for n, text in arguments.items())


def test_the_provider_may_say_the_arguments_once_more():
    override = assemble(*call(0, "f", '{"a": 1'), ToolDone(0, '{"a": 2}'), Done("stop"))
    assert override.tool_calls == (ToolCall("call_0", "f", '{"a": 2}'),)
    again = assemble(*call(0, "f", '{"a":', " 1}"), ToolDone(0), ToolArgsDelta(0, '{"a": 1}'), Done("stop"))
    assert again.tool_calls == (ToolCall("call_0", "f", '{"a": 1}'),), "a copy is no more than a copy"
    more = assemble(*call(0, "f", "{}"), ToolDone(0), ToolArgsDelta(0, "{1"), Done("stop"))
    assert more.tool_calls == () and more.partial[0].arguments == "{}{1"


def test_ids_and_names():
    again = assemble(*call(0, "f", "{"), ToolStart(0, "call_0", ""), ToolArgsDelta(0, "}"), Done("stop"))
    assert again.tool_calls == (ToolCall("call_0", "f", "{}"),)
    another = assemble(*call(0, "f", "{}"), ToolStart(0, "call_9", "g"), ToolArgsDelta(0, '{"b": 1}'), Done("stop"))
    assert another.tool_calls == (ToolCall("call_0", "f", "{}"), ToolCall("call_9", "g", '{"b": 1}'))
    late = assemble(ToolStart(0, "", "f"), ToolStart(0, "call_7", ""), ToolArgsDelta(0, "{}"), Done("stop"))
    assert late.tool_calls == (ToolCall("call_7", "f", "{}"),)
    nobody = assemble(ToolArgsDelta(3, "{}"), ToolDone(4, "{}"), Done("stop"))
    assert nobody.tool_calls == () and [one.index for one in nobody.partial] == [3, 4], "a call without a name"


def test_echo():
    found = assemble(
        EchoDelta("signatures", ["a"]),
        EchoDelta("thought", "so "),
        EchoDelta("signatures", ["b", "c"]),
        EchoDelta("state", {"x": 1}),
        EchoDelta("thought", "cold"),
        EchoDelta("state", {"y": 2}),
        Done("stop"),
    )
    assert found.echo == {"signatures": ["a", "b", "c"], "thought": "so cold", "state": {"y": 2}}
    assert found.message().echo == found.echo


def test_characters_in_halves():
    halves = call(0, "f", '{"a": "\ud83d', '\ude42"}')
    found = assemble(TextDelta("a\ud83d"), TextDelta("\ude42\ud83d"), ReasoningDelta("\ud83d"), *halves, Done("stop"))
    assert (found.text, found.reasoning) == ("a\U0001f642\ufffd", "\ufffd"), "a lone half could not be printed"
    assert found.tool_calls[0].parsed() == {"a": "\U0001f642"}


def test_without_text():
    found = assemble(TextDelta("a"), ReasoningDelta("b"), *call(0, "f", "{}"), Done("stop"), keep_text=False)
    assert (found.text, found.reasoning, len(found.tool_calls)) == ("", "", 1)


def test_it_may_be_asked_at_any_time():
    answer = Assembler()
    for delta, partial in [(TextDelta("a"), 0), *((one, 1) for one in call(0, "f", "{", "}")), (TextDelta("b"), 1)]:
        answer.add(delta)
        found = answer.completion()
        assert found.incomplete and found.tool_calls == () and len(found.partial) == partial
    answer.add(Done("tool_calls"))
    assert answer.completion() == answer.completion() and answer.completion().text == "ab"
