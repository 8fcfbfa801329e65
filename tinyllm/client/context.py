"""A conversation that fits the window of a model: what is oldest goes first, and what belongs together goes together.

    budget = window - max_tokens - tools - reserve

Always kept: system messages, the last turn of the user, and the last group. A group is a message, or an assistant's
turn with tool calls together with all results: a result without its call, or a call without its result, is an error at
every provider. When a question has gone, the answers to it that would now stand first go as well.

If what must stay does not fit nothing is cut: ``ContextLengthError`` says how many tokens there are, and may be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from .errors import BadRequestError, ContextLengthError
from .tokens import ESTIMATE, Counter
from .types import Message, Tool

SUMMARY = "Summary of the earlier conversation: "


@dataclass(frozen=True, slots=True)
class Fitted:
    """A conversation that fits.

    Args:
        messages: what is left, in order.
        dropped: what is not, in order.
        tokens: of what is left, as counted.
        budget: how many there may be.
        exact: whether the vocabulary was the model's own; see ``tokens``.
    """

    messages: tuple[Message, ...]
    dropped: tuple[Message, ...]
    tokens: int
    budget: int
    exact: bool


def fit_messages(
    messages: Sequence[Message],
    window: int,
    max_tokens: int,
    counter: Counter = ESTIMATE,
    tools: Sequence[Tool] = (),
    reserve: int = 0,
    summarize: Callable[[tuple[Message, ...]], str] | None = None,
    summary_tokens: int = 256,
) -> Fitted:
    """Return as much of a conversation as fits beside its answer; what fits comes back as it is.

    Args:
        messages: all of it.
        window: tokens that the model reads and writes at most.
        max_tokens: of the answer.
        counter: of the model's tokens, see ``counter_for``.
        tools: go along with every request, and take their part.
        reserve: tokens to leave free.
        summarize: makes a text of what was dropped, which then stands where that stood, as the user's words: what a
            user said gets no more authority by being summed up. None for no summary.
        summary_tokens: of the summary, at most; a longer one is cut.

    Raises:
        ContextLengthError: what must stay does not fit; its ``needed`` and ``allowed`` are the counts.
        BadRequestError: a tool's result answers no call before it.
        ConfigError: a number is below 0.

    Example:
        >>> talk = [Message("system", "Be brief."), Message("user", "a" * 400), Message("assistant", "b"),
        ...     Message("user", "c")]
        >>> fitted = fit_messages(talk, window=100, max_tokens=50)
        >>> [message.content for message in fitted.messages], fitted.tokens <= fitted.budget
        (['Be brief.', 'c'], True)
    """
    numbers = {"window": window, "max_tokens": max_tokens, "reserve": reserve, "summary_tokens": summary_tokens}
    for name, number in numbers.items():
        if number < 0:
            raise ConfigError(f"fit_messages: {name}={number}", hint="a number of tokens, 0 or more")
    budget = window - max_tokens - counter.tools(tools) - reserve
    groups = groups_of(messages)
    sizes = [counter.message(message) for message in messages]
    total = counter.messages(messages)
    if total <= budget:
        return Fitted(tuple(messages), (), total, budget, counter.exact)
    must = _must_stay(messages, groups)
    room = budget - (summary_tokens + counter.message(Message("user", SUMMARY)) if summarize else 0)
    gone: set[int] = set()
    for number, group in enumerate(groups):
        if number not in must and total > room:
            gone |= set(group)
            total -= sum(sizes[i] for i in group)
    if total > room:
        raise ContextLengthError(
            f"what must stay has {total} tokens, and {room} may be: a window of {window}, less {max_tokens} for the"
            f" answer, {window - max_tokens - reserve - room} for tools and a summary, {reserve} in reserve",
            hint="a shorter prompt (smart_truncate), a smaller max_tokens or a larger model",
            needed=total,
            allowed=max(room, 0),
        )
    for number, group in enumerate(groups):  # answers whose question has gone
        if group[0] in gone or messages[group[0]].role == "system":
            continue
        if number in must or messages[group[0]].role == "user":
            break
        gone |= set(group)
        total -= sum(sizes[i] for i in group)
    dropped = tuple(messages[i] for i in sorted(gone))
    kept = [message for i, message in enumerate(messages) if i not in gone]
    if summarize is not None:
        made = _summary(summarize(dropped), counter, summary_tokens)
        place = next((i for i, message in enumerate(kept) if message.role != "system"), len(kept))
        kept.insert(place, made)
        total += counter.message(made)
    return Fitted(tuple(kept), dropped, total, budget, counter.exact)


def groups_of(messages: Sequence[Message]) -> list[list[int]]:
    """Return which messages belong together, by their places: a call and its results, else each its own.

    Raises:
        BadRequestError: a tool's result answers no call before it.

    Example:
        >>> from .types import ToolCall
        >>> call = Message("assistant", tool_calls=(ToolCall("call_7", "weather", "{}"),))
        >>> groups_of([Message("user", "Oslo?"), call, Message("tool", "4 C", tool_call_id="call_7")])
        [[0], [1, 2]]
    """
    groups: list[list[int]] = []
    asked: dict[str, list[int]] = {}  # a call's id -> the group in which it was made last
    latest: list[int] | None = None
    for i, message in enumerate(messages):
        if message.role == "tool":
            # a provider without ids answers the calls made last
            group = asked.get(message.tool_call_id) if message.tool_call_id else latest
            if group is None:
                raise BadRequestError(
                    f"message {i} is the result of a call {message.tool_call_id!r}, which nobody made before it",
                    hint="keep the assistant's turn with its tool_calls",
                )
            group.append(i)
            continue
        groups.append([i])
        if message.tool_calls:
            latest = groups[-1]
            asked.update((call.id, latest) for call in message.tool_calls)
    return groups


def _must_stay(messages: Sequence[Message], groups: Sequence[Sequence[int]]) -> set[int]:
    """Return which groups are never dropped: the system's, the user's last turn, and the last one of all."""
    must = {number for number, group in enumerate(groups) if messages[group[0]].role == "system"}
    if groups:
        must.add(len(groups) - 1)
    users = [number for number, group in enumerate(groups) if messages[group[0]].role == "user"]
    if users:
        last = users[-1]
        while last >= 0 and messages[groups[last][0]].role == "user":  # a turn may have several messages
            must.add(last)
            last -= 1
    return must


def _summary(text: str, counter: Counter, most: int) -> Message:
    if counter.count(SUMMARY + text) - counter.count(SUMMARY) > most:
        from ..tokenizer import smart_truncate

        text = smart_truncate(text, most, lambda piece: counter.count(SUMMARY + piece) - counter.count(SUMMARY))
    return Message("user", SUMMARY + text)
