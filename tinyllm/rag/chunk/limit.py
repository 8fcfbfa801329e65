"""How long a chunk may be: a number of tokens, and who counts them.

A text that is longer than its embedder reads is cut off without a word by most libraries. Here the embedder's own
counter decides, header and special tokens included, and asking for more than it reads is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import ConfigError
from ..types import Embedder, with_header

DEFAULT = 256  # tokens, where the embedder reads everything
FRAME = 2  # what an embedder with a limit puts around a text: [CLS] and [SEP]

_PIECE = re.compile(r"\w+|[^\w\s]")


def count_words(text: str) -> int:
    """Count words and signs, the measure of chunks that are cut for no embedder.

    Example:
        >>> count_words("Pi is 3.14.")
        6
    """
    return len(_PIECE.findall(text))


@dataclass(frozen=True, slots=True)
class Limit:
    """The most tokens of a chunk.

    Args:
        max_tokens: the most tokens, special ones included.
        count: how many tokens a text has, special ones not counted.
        frame: how many special ones come with every text.

    Raises:
        ConfigError: there is no room for a single token.

    Example:
        >>> Limit(5, count_words).fits("Animals", "Ducks swim.")
        True
    """

    max_tokens: int
    count: Callable[[str], int] = count_words
    frame: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.max_tokens, int) or self.max_tokens <= self.frame:
            raise ConfigError(
                f"chunks of {self.max_tokens!r} tokens have no room for a text",
                hint=f"a whole number greater than {self.frame}",
            )

    @classmethod
    def of(cls, embedder: Embedder | None, max_tokens: int | None) -> Limit:
        """Return the limit that an embedder sets, or a lower one that was asked for.

        Raises:
            ConfigError: more tokens were asked for than the embedder reads.
        """
        if embedder is None:
            return cls(DEFAULT if max_tokens is None else max_tokens)
        most = embedder.max_tokens
        if max_tokens is None:
            max_tokens = DEFAULT if most is None else most
        elif most is not None and max_tokens > most:
            raise ConfigError(
                f"chunks of {max_tokens} tokens: {embedder.id} reads {most} and would drop the rest",
                hint=f"max_tokens={most} or less",
            )
        return cls(max_tokens, embedder.count, 0 if most is None else FRAME)

    def tokens(self, header: str, text: str) -> int:
        """Return how many tokens a chunk has, counted on what is read: header and text joined, special tokens."""
        return self.count(with_header(header, text)) + self.frame

    def fits(self, header: str, text: str) -> bool:
        """Tell whether a chunk is short enough."""
        return self.tokens(header, text) <= self.max_tokens
