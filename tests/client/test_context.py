"""Fitting a conversation: never above the budget, no result without its call, never without what was asked last."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.context import SUMMARY, fit_messages, groups_of
from tinyllm.client.errors import BadRequestError, ContextLengthError
from tinyllm.client.tokens import ESTIMATE, Counter
from tinyllm.client.types import Message, Tool, ToolCall
from tinyllm.errors import ConfigError

LETTERS = Counter(len, True, "characters")
TEXT = st.text("ab ", max_size=40)


@st.composite
def conversations(draw):
    """Turns of a user, of an assistant, and calls with all of their results; ids come again in later turns."""
    talk = [Message("system", draw(TEXT)) for _ in range(draw(st.integers(0, 2)))]
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["user", "assistant", "calls", "system"]))
        if kind == "calls":
            n = draw(st.integers(1, 3))
            talk.append(Message("assistant", draw(TEXT), tuple(ToolCall(f"call_{i}", "f", "{}", i) for i in range(n))))
            talk += [Message("tool", draw(TEXT), tool_call_id=f"call_{i}") for i in draw(st.permutations(range(n)))]
        else:
            talk.append(Message(kind, draw(TEXT)))
    return talk


def orphans(messages):
    """Return calls without results and results without calls, by reading the conversation from its beginning."""
    waiting, wrong = set(), []
    for message in messages:
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                wrong.append(message)
            waiting.discard(message.tool_call_id)
        else:
            wrong += sorted(waiting)
            waiting = {call.id for call in message.tool_calls}
    return wrong + sorted(waiting)


@settings(derandomize=True, max_examples=60)
@given(conversations(), st.integers(0, 400), st.sampled_from([LETTERS, ESTIMATE]), st.booleans())
def test_what_fits(talk, window, counter, summed):
    summarize = (lambda gone: "-" * (10 * len(gone))) if summed else None
    arguments = {"max_tokens": 20, "counter": counter, "reserve": 5, "summarize": summarize, "summary_tokens": 30}
    try:
        fitted = fit_messages(talk, window, **arguments)
    except ContextLengthError as problem:
        assert problem.needed > problem.allowed and str(problem.needed) in str(problem)
        return
    kept = [message for message in fitted.messages if not message.content.startswith(SUMMARY)]
    assert fitted.budget == window - 25 and fitted.exact == counter.exact
    assert counter.messages(fitted.messages) == fitted.tokens <= fitted.budget
    assert orphans(fitted.messages) == []
    places = {id(message): i for i, message in enumerate(talk)}
    order = [places[id(message)] for message in kept]
    assert order == sorted(order) and sorted([id(m) for m in (*kept, *fitted.dropped)]) == sorted(places)
    assert all(message in kept for message in talk if message.role == "system")
    assert kept[-1] is talk[-1]
    users = [message for message in talk if message.role == "user"]
    assert not users or any(message is users[-1] for message in kept)
    if not fitted.dropped:
        assert fitted.messages == tuple(talk)
    elif summed:
        assert any(message.content.startswith(SUMMARY) and message.role == "user" for message in fitted.messages)
    again = fit_messages(fitted.messages, window, **arguments)
    assert again.messages == fitted.messages and not again.dropped


@settings(derandomize=True)
@given(conversations(), st.integers(1, 200))
def test_oldest_first_and_no_more_than_has_to_be(talk, lacking):
    full = LETTERS.messages(talk)
    assert not fit_messages(talk, full, 0, LETTERS).dropped
    budget = max(full - lacking, 0)
    try:
        dropped = fit_messages(talk, budget, 0, LETTERS).dropped
    except ContextLengthError:
        return
    last_user = max((i for i, message in enumerate(talk) if message.role == "user"), default=-1)
    left = full
    for group in groups_of(talk)[:-1]:
        first = talk[group[0]]
        if first.role == "system" or group[0] == last_user:
            continue
        if not dropped:
            break
        if dropped[0] is not first:  # what is not next was part of the user's last turn
            assert first.role == "user" and all(m.role in ("user", "tool") for m in talk[group[0] : last_user + 1])
            continue
        assert left > budget or first.role == "assistant"  # needed, or the answer to what has gone
        left -= sum(LETTERS.message(talk[i]) for i in group)
        dropped = dropped[len(group) :]
    assert not dropped and left <= budget


def test_oldest_first_and_answers_go_with_their_question():
    talk = [Message("system", "s"), Message("user", "q" * 50), Message("assistant", "a"), Message("user", "r")]
    talk += [Message("assistant", "b"), Message("user", "t")]
    fitted = fit_messages(talk, 60, 10, LETTERS)
    assert [message.content for message in fitted.messages] == ["s", "r", "b", "t"]
    assert [message.content for message in fitted.dropped] == ["q" * 50, "a"]


def test_the_turn_of_a_user_may_have_several_messages():
    talk = [Message("user", "x" * 30), Message("assistant", "y"), Message("user", "one"), Message("user", "two")]
    assert [m.content for m in fit_messages(talk, 30, 0, LETTERS).messages] == ["one", "two"]


def test_old_calls_of_a_long_turn_go_and_the_last_one_stays():
    def calls(i, text):
        made = Message("assistant", "", (ToolCall("call_0", "f", "{}"),))  # a provider without ids: the same each time
        return [made, Message("tool", text, tool_call_id="call_0")]

    talk = [Message("user", "go"), *calls(0, "x" * 50), *calls(1, "z" * 10), *calls(2, "y" * 10)]
    fitted = fit_messages(talk, 70, 0, LETTERS)
    assert fitted.messages == (talk[0], *talk[3:]) and orphans(fitted.messages) == []


def test_counts_in_the_error():
    tools = [Tool("weather", "now")]
    with pytest.raises(ContextLengthError) as caught:
        fit_messages([Message("user", "x" * 500)], 100, 20, LETTERS, tools, reserve=3)
    assert caught.value.needed == 507 and caught.value.allowed == 100 - 20 - 3 - LETTERS.tools(tools)
    assert "a window of 100, less 20" in str(caught.value) and isinstance(caught.value, ValueError)


def test_a_long_summary_is_cut():
    talk = [Message("user", "x" * 200), Message("assistant", "y"), Message("user", "z")]
    fitted = fit_messages(talk, 100, 0, LETTERS, summarize=lambda gone: "Said much. " * 50, summary_tokens=25)
    assert [m.content for m in fitted.messages] == [SUMMARY + "Said much. Said much.", "z"]


def test_groups():
    both = Message("assistant", tool_calls=(ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")))
    nameless = Message("tool", "1")
    talk = [Message("user", "?"), both, Message("tool", tool_call_id="b"), Message("tool", tool_call_id="a"), nameless]
    assert groups_of(talk) == [[0], [1, 2, 3, 4]] and groups_of([]) == []
    for bad in ([nameless], [Message("tool", tool_call_id="b"), both], [both, Message("tool", tool_call_id="c")]):
        with pytest.raises(BadRequestError, match="nobody made"):
            fit_messages(bad, 10, 1)


def test_numbers_that_make_no_sense():
    for name in ("window", "max_tokens", "reserve", "summary_tokens"):
        with pytest.raises(ConfigError, match=name):
            fit_messages([], **{"window": 10, "max_tokens": 1, name: -1})
    assert fit_messages([], 10, 1).messages == ()
