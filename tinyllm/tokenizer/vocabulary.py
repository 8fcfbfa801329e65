"""Vocabulary: which tokens there are, what bytes they spell, and the way back from ids to text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from ..errors import ConfigError, DTypeError, TokenError
from .specials import Specials
from .surrogates import without_surrogates


class Vocabulary:
    """The tokens of a byte-level BPE encoding, checked when they are put together.

    Args:
        name: what it is called.
        ranks: token -> id, with all 256 single bytes.
        special_tokens: string -> id of tokens that no text spells by accident.
        merges: (left, right) in the order in which they were learned, where that is known.
        counts: of each merge, how often its two halves stood side by side when it was learned.

    Raises:
        ConfigError: the vocabulary contradicts itself, or lacks a single byte.

    Example:
        >>> toy = Vocabulary("toy", {bytes((i,)): i for i in range(256)} | {b"hi": 256}, {"<|end|>": 300})
        >>> toy.n_vocab, toy.decode([256, 33, 300])
        (301, 'hi!<|end|>')
    """

    def __init__(
        self,
        name: str,
        ranks: Mapping[bytes, int],
        special_tokens: Mapping[str, int],
        merges: Sequence[tuple[bytes, bytes]] | None = None,
        counts: Sequence[int] | None = None,
    ) -> None:
        self.name = name
        self.ranks = dict(ranks)
        self.specials = Specials(special_tokens)
        self.merges = None if merges is None else [(left, right) for left, right in merges]
        self.counts = None if counts is None else [int(count) for count in counts]
        self._check()
        self._make_table()

    def _check(self) -> None:
        missing = [byte for byte in range(256) if bytes((byte,)) not in self.ranks]
        if missing:
            raise ConfigError(
                f"{self.name}: {len(missing)} of the 256 single bytes are no tokens, {missing[0]:#04x} for one, so "
                "there are texts it could not encode",
                hint="a vocabulary of at least 256 tokens",
            )
        for token in self.ranks:
            if not token or type(token) is not bytes:
                raise ConfigError(f"{self.name}: {token!r} cannot be a token", hint="bytes, at least one")
        ids = [*self.ranks.values(), *self.specials.ids.values()]
        if not {type(i) for i in ids} <= {int} or min(ids) < 0 or max(ids) >= 1 << 31:
            wrong = next(i for i in ids if type(i) is not int or not 0 <= i < 1 << 31)
            raise ConfigError(f"{self.name}: {wrong!r} cannot be the id of a token", hint="a whole number from 0")
        taken = set(self.ranks.values())
        if len(taken) != len(self.ranks):
            raise ConfigError(f"{self.name}: two tokens have the same id")
        for special, i in self.specials.ids.items():
            if i in taken:
                raise ConfigError(f"{self.name}: the id {i} of the special token {special!r} is another token's")
        for left, right in self.merges or ():
            if not {left, right, left + right} <= self.ranks.keys():
                raise ConfigError(f"{self.name}: the merge of {left!r} and {right!r} is not one of tokens")
        if self.counts is not None and len(self.counts) != len(self.merges or ()):
            raise ConfigError(f"{self.name}: has {len(self.counts)} counts for {len(self.merges or ())} merges")

    def _make_table(self) -> None:
        """Make the way back from ids to bytes; ids that stand for nothing have None."""
        self.max_token_value = max(*self.ranks.values(), *self.specials.ids.values())
        self._tokens: list[bytes | None] = [None] * self.n_vocab
        for special, i in reversed(self.specials.ids.items()):  # of two names for one id, the first is its text
            self._tokens[i] = special.encode()
        for token, i in self.ranks.items():
            self._tokens[i] = token

    # what there is

    @property
    def n_vocab(self) -> int:
        """How many ids there are, V: the largest id + 1. Some may stand for nothing."""
        return self.max_token_value + 1

    @property
    def special_tokens_set(self) -> set[str]:
        """The special tokens."""
        return set(self.specials.names)

    @property
    def eot_token(self) -> int:
        """The id of <|endoftext|>.

        Raises:
            TokenError: there is no such token.
        """
        return self.encode_single_token("<|endoftext|>")

    def is_special_token(self, token: int) -> bool:
        """Tell whether this is the id of a special token."""
        return token in self.specials.ids.values()

    @cached_property
    def longest_token(self) -> int:
        """How many bytes the longest token spells, special ones aside."""
        return max(map(len, self.ranks))

    @cached_property
    def sorted_tokens(self) -> tuple[bytes, ...]:
        """The bytes of all tokens but the special ones, sorted."""
        return tuple(sorted(self.ranks))

    def token_byte_values(self) -> list[bytes]:
        """Return the bytes of all tokens but the special ones, sorted."""
        return list(self.sorted_tokens)

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """Return the id of a token, special or not.

        Raises:
            TokenError: it is no token.
        """
        if isinstance(text_or_bytes, str):
            if text_or_bytes in self.specials.ids:
                return self.specials.ids[text_or_bytes]
            text_or_bytes = without_surrogates(text_or_bytes).encode()
        if text_or_bytes not in self.ranks:
            raise TokenError(f"{self.name}: {text_or_bytes!r} is no token", hint="encode, which may give several")
        return self.ranks[text_or_bytes]

    # ids to text

    def decode(self, tokens: Iterable[int], errors: str = "replace") -> str:
        """Turn ids back into text.

        Args:
            tokens: ids.
            errors: what becomes of bytes that are no UTF-8, as in ``bytes.decode``.

        Raises:
            TokenError: an id stands for no token.
        """
        return self.decode_bytes(tokens).decode("utf-8", errors)

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """Turn ids into the bytes they spell.

        Raises:
            TokenError: an id stands for no token.
        """
        return b"".join(self.decode_tokens_bytes(tokens))

    def decode_single_token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token.

        Raises:
            TokenError: the id stands for no token.
        """
        return self.decode_tokens_bytes((token,))[0]

    def decode_tokens_bytes(self, tokens: Iterable[int]) -> list[bytes]:
        """Return the bytes of each token.

        Raises:
            TokenError: an id stands for no token.
            DTypeError: it is no whole number.
        """
        table = self._tokens
        try:
            ids: Sequence[int] = tokens.tolist() if isinstance(tokens, np.ndarray) else list(tokens)
            found = [table[i] for i in ids]
        except IndexError:
            found = [None]
        except TypeError:
            raise DTypeError("decode: these are no token ids", hint="a list or an array of whole numbers") from None
        if None in found or (ids and min(ids) < 0):
            wrong = next(i for i in ids if not 0 <= i < len(table) or table[i] is None)
            raise TokenError(f"{self.name}: there is no token {wrong}", hint=f"ids from 0 to {self.max_token_value}")
        return found  # type: ignore[return-value]  # no None is left

    def decode_with_offsets(self, tokens: Iterable[int]) -> tuple[str, list[int]]:
        """Turn ids back into text, with the character at which each token begins.

        A token that begins inside a character has the place of that character.

        Raises:
            TokenError: an id stands for no token.
            UnicodeDecodeError: the bytes are no UTF-8.
        """
        parts = self.decode_tokens_bytes(tokens)
        offsets, begun = [], 0
        for part in parts:
            offsets.append(max(0, begun - (0x80 <= part[0] < 0xC0)))
            begun += sum(not 0x80 <= byte < 0xC0 for byte in part)
        return b"".join(parts).decode("utf-8", "strict"), offsets

    def spans(self, tokens: Iterable[int], unit: str = "characters") -> list[tuple[int, int]]:
        """Return where each token begins and ends in the decoded text, in "characters" or "bytes".

        A character that several tokens share belongs to each of them.
        """
        from .offsets import spans

        return spans(self, tokens, unit)

    def decode_stream(self, tokens: Iterable[int], errors: str = "replace") -> Iterator[str]:
        """Turn ids into text as they come; a character is held back until all of its bytes are there."""
        from .stream import decode_stream

        return decode_stream(self, tokens, errors)

    def decode_batch(
        self, batch: Sequence[Sequence[int]], *, errors: str = "replace", num_threads: int = 8
    ) -> list[str]:
        """Decode several sequences of ids."""
        return [self.decode(tokens, errors) for tokens in batch]

    def decode_bytes_batch(self, batch: Sequence[Sequence[int]], *, num_threads: int = 8) -> list[bytes]:
        """Decode several sequences of ids into bytes."""
        return [self.decode_bytes(tokens) for tokens in batch]
