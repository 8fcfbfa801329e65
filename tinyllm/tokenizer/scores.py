"""The vocabularies of llama2.c: byte pair encoding in SentencePiece's manner, where each token carries a score.

Of all neighbors that join into a token, those whose token has the highest score are joined first, the leftmost on ties.
A space belongs to the word after it, every text starts with one, and a character without a token is spelled in bytes.

Source: Kudo and Richardson 2018, SentencePiece, arXiv:1808.06226; https://github.com/karpathy/llama2.c, ``run.c``.
"""

from __future__ import annotations

import heapq
import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_atomically
from ..errors import DataError
from .known import known_ids
from .surrogates import without_surrogates
from .wordcache import WordCache

BOS, EOS = 1, 2  # 0 is the unknown token
FIRST_BYTE = 3  # the token of byte 0; those of all others follow
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_HINT = "a tokenizer.bin of llama2.c, whole and unchanged"


class ScoredBPE:
    """The tokenizer of llama2.c.

    Args:
        tokens: the tokens in the order of their ids: unknown, BOS, EOS, the 256 bytes as ``<0x00>`` to ``<0xFF>``, then
            the others, with plain spaces. Of equal tokens the first is used.
        scores: how early each token is made, the highest first.

    Raises:
        DataError: the bytes are not where they belong, or a score is not a number.

    Example:
        >>> tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), " ", "a", "b", " a", "ab"]
        >>> tokenizer = ScoredBPE(tokens, [0.0] * 262 + [-2.0, -1.0])
        >>> tokenizer.encode("ab!")  # BOS, " ", "ab" before " a", and the byte of "!"
        [1, 259, 263, 36]
        >>> tokenizer.decode([1, 259, 263, 36])
        'ab!'
    """

    name = "scores"

    def __init__(self, tokens: Sequence[str], scores: Sequence[float]) -> None:
        self.tokens = tuple(tokens)
        self.scores = _float32(scores)
        _check(self.tokens, self.scores)
        self._ids: dict[str, int] = {}
        for i, token in enumerate(self.tokens):
            self._ids.setdefault(token, i)
        self._bytes = [token.encode() for token in self.tokens]
        self._bytes[BOS] = self._bytes[EOS] = b""
        self._bytes[FIRST_BYTE : FIRST_BYTE + 256] = [bytes((byte,)) for byte in range(256)]
        # where no token holds a space after another character, nothing is ever joined across such a place
        apart = not any(re.search("[^ ] ", token) for token in self.tokens)
        self._chunks = re.compile(" *[^ ]+| +" if apart else ".+", re.DOTALL)
        self._merged = WordCache(self._merge)

    @classmethod
    def from_file(cls, path: str | Path) -> ScoredBPE:
        """Read a ``tokenizer.bin``: the length of the longest token, then for each its score, length and bytes.

        Raises:
            DataError: the file cannot be read, is cut short, or is something else.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DataError(f"cannot read the vocabulary {path}: {reason}", hint=_HINT) from error
        try:
            return cls(*_parse(data))
        except DataError as error:
            raise DataError(f"{path}: {error.message.removeprefix('ScoredBPE: ')}", hint=error.hint) from None

    def save(self, path: str | Path) -> None:
        """Write a ``tokenizer.bin``.

        Raises:
            CheckpointError: the file cannot be written.
        """
        spelled = [token.encode() for token in self.tokens]
        parts = [struct.pack("<i", max(map(len, spelled)))]
        for score, token in zip(self.scores, spelled, strict=True):
            parts += [struct.pack("<fi", score, len(token)), token]
        write_atomically(Path(path), lambda file: file.write(b"".join(parts)))

    @property
    def n_vocab(self) -> int:
        """How many ids there are, V."""
        return len(self.tokens)

    def encode(self, text: str, *, bos: bool = True, eos: bool = False) -> list[int]:
        """Turn a text into ids, as ``encode`` of llama2.c's run.c does.

        Args:
            text: the text; a lone surrogate becomes U+FFFD.
            bos: start with BOS, as the models expect.
            eos: end with EOS.
        """
        text = without_surrogates(text)
        chunks = self._chunks.findall(" " + text) if text else []
        ids = chain.from_iterable(map(self._merged.__getitem__, chunks))
        return [*([BOS] * bos), *ids, *([EOS] * eos)]

    def encode_to_numpy(self, text: str, *, bos: bool = True, eos: bool = False) -> np.ndarray[Any, Any]:
        """Turn a text into an array of ids, uint16 where V fits and uint32 where it does not."""
        return np.array(self.encode(text, bos=bos, eos=eos), np.uint16 if self.n_vocab <= 2**16 else np.uint32)

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids into text; what is not UTF-8 becomes U+FFFD.

        Raises:
            TokenError: an id is not in the vocabulary.
        """
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Turn ids into bytes: BOS and EOS spell nothing, and one space goes from the start of what follows BOS.

        Raises:
            TokenError: an id is not in the vocabulary.
        """
        ids = known_ids(ids, self.n_vocab)
        parts = [self._bytes[i] for i in ids]
        for place, i in enumerate(ids[:-1]):
            if i == BOS:
                parts[place + 1] = parts[place + 1].removeprefix(b" ")
        return b"".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``from_dict`` needs, as JSON can hold it."""
        return {"kind": self.name, "tokens": list(self.tokens), "scores": list(self.scores)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> ScoredBPE:
        """Make the tokenizer that ``to_dict`` described.

        Raises:
            DataError: the tokens or the scores are missing, or do not fit.
        """
        if not isinstance(saved.get("tokens"), list) or not isinstance(saved.get("scores"), list):
            raise DataError("ScoredBPE: the saved description has no lists 'tokens' and 'scores'")
        return cls(saved["tokens"], saved["scores"])

    def _merge(self, chunk: str) -> tuple[int, ...]:
        """Join neighbors, the highest score first; a heap finds it, and pairs that are no more are passed over."""
        ids = self._single(chunk)
        n = len(ids)
        before, after = list(range(-1, n - 1)), list(range(1, n + 1))
        heap: list[tuple[float, int, int, int, int]] = []

        def offer(left: int, right: int) -> None:
            if left >= 0 and right < n:
                joined = self._ids.get(self.tokens[ids[left]] + self.tokens[ids[right]])
                if joined is not None:
                    heapq.heappush(heap, (-self.scores[joined], left, joined, ids[left], ids[right]))

        for place in range(n - 1):
            offer(place, place + 1)
        while heap:
            _, left, joined, a, b = heapq.heappop(heap)
            right = after[left]
            if ids[left] != a or right == n or ids[right] != b:
                continue
            ids[left], ids[right] = joined, -1
            after[left] = after[right]
            if after[left] < n:
                before[after[left]] = left
            offer(before[left], left)
            offer(left, after[left])
        return tuple([i for i in ids if i >= 0])

    def _single(self, chunk: str) -> list[int]:
        """Give each character its token, or the tokens of its bytes."""
        ids: list[int] = []
        for char in chunk:
            known = self._ids.get(char)
            if known is None:
                ids += [FIRST_BYTE + byte for byte in char.encode()]
            else:
                ids.append(known)
        return ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScoredBPE) and (self.tokens, self.scores) == (other.tokens, other.scores)

    def __hash__(self) -> int:
        return hash((self.tokens, self.scores))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.tokens, self.scores)

    def __repr__(self) -> str:
        return f"ScoredBPE({self.n_vocab} tokens)"


def _float32(scores: Sequence[float]) -> tuple[float, ...]:
    """Round scores as the file does; what is too large becomes infinite."""
    try:
        with np.errstate(over="ignore"):
            return tuple(np.array([float(score) for score in scores]).astype(np.float32).tolist())
    except (TypeError, ValueError):
        raise DataError("ScoredBPE: the scores are not all numbers", hint="one number for each token") from None


def _check(tokens: tuple[str, ...], scores: tuple[float, ...]) -> None:
    if len(tokens) != len(scores):
        raise DataError(f"ScoredBPE: {len(tokens)} tokens and {len(scores)} scores", hint="one score for each token")
    if len(tokens) < FIRST_BYTE + 256:
        raise DataError(f"ScoredBPE: {len(tokens)} tokens are too few for the 3 special ones and 256 bytes", hint=_HINT)
    for i, (token, score) in enumerate(zip(tokens, scores, strict=True)):
        if not isinstance(token, str):
            raise DataError(f"ScoredBPE: token {i} is {token!r}", hint="tokens as text")
        if not math.isfinite(score):
            raise DataError(f"ScoredBPE: the score of token {i}, {token!r}, is {score}", hint=_HINT)
        if 0 <= i - FIRST_BYTE < 256 and token != _BYTES[i - FIRST_BYTE]:
            raise DataError(f"ScoredBPE: token {i} is {token!r} and not {_BYTES[i - FIRST_BYTE]}", hint=_HINT)


def _parse(data: bytes) -> tuple[list[str], list[float]]:
    """Take the file apart; it does not say how many tokens there are, so it has to end where a token does."""
    if len(data) < 4:
        raise DataError("the file is empty" if not data else "the file ends in its header", hint=_HINT)
    (longest,) = struct.unpack_from("<i", data)
    tokens: list[str] = []
    scores: list[float] = []
    place = 4
    while place < len(data):
        i = len(tokens)
        if place + 8 > len(data):
            raise DataError(f"the file ends inside token {i}", hint=_HINT)
        score, length = struct.unpack_from("<fi", data, place)
        if not 0 <= length <= longest:
            raise DataError(f"token {i} claims {length} bytes where the longest has {longest}", hint=_HINT)
        place += 8 + length
        if place > len(data):
            raise DataError(f"the file ends inside token {i}", hint=_HINT)
        try:
            tokens.append(data[place - length : place].decode())
        except UnicodeDecodeError:
            raise DataError(f"token {i} is not UTF-8", hint=_HINT) from None
        scores.append(score)
    return tokens, scores
