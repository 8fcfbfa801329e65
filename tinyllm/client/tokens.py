"""How many tokens a text, a conversation or a set of tools has: counted where the vocabulary is known, else estimated.

Exact for a tokenizer of one's own, and for the models whose vocabularies are published (GPT-2, cl100k, o200k), if the
file is on this machine: nothing is fetched in order to count. For all others there is an estimate, which says that it
is one and is meant to be too high rather than too low: 4 characters to a token, one token for every character outside
of ASCII, and a tenth more.

How a provider frames turns and tools is its own business, so the count of a whole conversation is never called exact.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import TinyLLMError
from .types import Message, Tool

CHARACTERS = 4  # to a token, in English
MARGIN = 10  # percent
FRAME = 4  # tokens around a turn: whose it is, where it begins and ends
REPLY = 3  # tokens that open the answer


@dataclass(frozen=True)
class Counter:
    """Counts tokens.

    Args:
        count: tokens of a text.
        exact: whether that is what the model will read.
        how: by which vocabulary, in words.

    Example:
        >>> counter = counter_for("nobody's-model")
        >>> counter.count("Hello there"), counter.exact, counter.how
        (4, False, 'an estimate: 4 characters to a token, and 10% more')
    """

    count: Callable[[str], int]
    exact: bool
    how: str

    def message(self, message: Message) -> int:
        """Return the tokens of a turn, calls and frame included."""
        total = FRAME + self.count(message.content)
        for call in message.tool_calls:
            total += FRAME + self.count(call.name) + self.count(call.arguments)
        if message.name:
            total += self.count(message.name)
        if message.echo:
            total += self.count(json.dumps(dict(message.echo), ensure_ascii=False, default=str))
        return total

    def messages(self, messages: Iterable[Message]) -> int:
        """Return the tokens of a conversation: those of its turns, and of what opens the answer.

        Example:
            >>> counter_for("nobody's-model").messages([Message("user", "Hello there")])
            11
        """
        return REPLY + sum(self.message(message) for message in messages)

    def tools(self, tools: Iterable[Tool]) -> int:
        """Return about how many tokens the descriptions of tools have."""
        total = 0
        for tool in tools:
            text = json.dumps(dict(tool.parameters), ensure_ascii=False, default=str)
            total += FRAME + self.count(tool.name) + self.count(tool.description) + self.count(text)
        return total


def estimate(text: str) -> int:
    """Return about how many tokens a text has, rather too many than too few.

    Example:
        >>> estimate("four characters each"), estimate("東京"), estimate("")
        (6, 3, 0)
    """
    ascii_ones = sum(map(str.isascii, text)) if not text.isascii() else len(text)
    parts = ascii_ones + CHARACTERS * (len(text) - ascii_ones)  # quarters of a token
    return -(-parts * (100 + MARGIN) // (100 * CHARACTERS))


def counter_for(model: str | Any = None) -> Counter:
    """Return what counts tokens for a model.

    Args:
        model: a model's name, the name of an encoding ("gpt2", "cl100k_base", "o200k_base"), a tokenizer of
            ``tinyllm.tokenizer`` or anything with ``encode``; None for the estimate.
    """
    if model is None:
        return ESTIMATE
    if isinstance(model, str):
        return _named(model)
    how = f"counted with {getattr(model, 'name', type(model).__name__)}"
    if hasattr(model, "encode_ordinary"):
        return Counter(_plain(model), True, how)
    return Counter(lambda text: len(model.encode(text)), True, how)


def _plain(encoding: Any) -> Callable[[str], int]:
    """Return what counts a text in which "<|endoftext|>" is text: who writes that in a prompt gets an answer."""

    def count(text: str) -> int:
        found: int = encoding.count(text, disallowed_special=())
        return found

    return count


ESTIMATE = Counter(estimate, False, f"an estimate: {CHARACTERS} characters to a token, and {MARGIN}% more")


@lru_cache(maxsize=64)
def _named(model: str) -> Counter:
    """Return the counter of a published vocabulary; the estimate if there is none, or its file is not here."""
    from .. import assets
    from ..tokenizer import encoding_name_for_model, get_encoding, list_encoding_names

    try:
        name = model if model in list_encoding_names() else encoding_name_for_model(model.rpartition("/")[2])
        file = {"gpt2": "r50k_base", "p50k_edit": "p50k_base", "o200k_harmony": "o200k_base"}.get(name, name)
        if assets.find(file) is None:
            return Counter(estimate, False, f"{ESTIMATE.how}; {name} is not on this machine")
        encoding = get_encoding(name)
    except TinyLLMError:
        return ESTIMATE
    return Counter(_plain(encoding), True, f"counted with {name}")
