"""WordPiece, the tokenizer of BERT and MiniLM: cut off the longest beginning that is known, again and again.

A text is cleaned and cut into words at spaces and around punctuation; each word is spelled with pieces of a vocabulary,
those inside of a word written with ``##``. A word that cannot be spelled is one ``[UNK]``, so decoding is not the way
back. Ids and offsets are those of tokenizers, which the published models are run with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_atomically
from ..errors import DataError
from .known import known_ids
from .rows import Batch, Row, frame, padded, shortened, types
from .surrogates import without_surrogates
from .unicode_bert import Normalizer
from .wordcache import WordCache

_CHUNK = re.compile("[^\t\n\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_NO_SPACE = "\v\f\x1c\x1d\x1e\x1f\x85"  # str.split() cuts here, BERT drops them and cuts nowhere
_WORD = re.compile("[^ ]+")
_UNIT = re.compile("[\ud800-\udbff][\udc00-\udfff]|.", re.DOTALL)  # halves of a pair, or one character
_INSIDE = "##"

Span = tuple[int, int, int]  # a token's id and its characters [begin, end)


class WordPiece:
    """The tokenizer of BERT.

    Args:
        vocab: the tokens in the order of their ids, or a map from token to id.
        lowercase: true for the uncased models.
        strip_accents: take accents off; None does as ``lowercase`` says.
        max_word_chars: a longer word is unknown.
        unknown, cls, sep, pad, mask: how the special tokens are spelled. Only ``unknown`` has to be in the vocabulary.

    Raises:
        DataError: the vocabulary lacks ``unknown``, holds a token twice, or its ids leave a hole.

    Example:
        >>> vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##able", "##aff", "!"]
        >>> tokenizer = WordPiece(vocab)
        >>> tokenizer.encode("Unaffable!"), tokenizer.tokenize("Unaffable!")
        ([2, 4, 6, 5, 7, 3], ['un', '##aff', '##able', '!'])
        >>> tokenizer.decode([2, 4, 6, 5, 7, 3])
        'unaffable !'

    Source: Devlin et al. 2019, BERT, arXiv:1810.04805; Wu et al. 2016, arXiv:1609.08144.
    """

    name = "wordpiece"

    def __init__(
        self,
        vocab: Sequence[str] | Mapping[str, int],
        *,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        max_word_chars: int = 100,
        unknown: str = "[UNK]",
        cls: str = "[CLS]",
        sep: str = "[SEP]",
        pad: str = "[PAD]",
        mask: str = "[MASK]",
    ) -> None:
        self.tokens = _by_id(vocab)
        self.lowercase = lowercase
        self.strip_accents = lowercase if strip_accents is None else strip_accents
        self.max_word_chars = max_word_chars
        self.spelled = {"unknown": unknown, "cls": cls, "sep": sep, "pad": pad, "mask": mask}
        self._vocab = {token: i for i, token in enumerate(self.tokens)}
        if unknown not in self._vocab:
            close = next((token for token in self.tokens if token.strip("[]<>").lower() == "unk"), None)
            raise DataError(
                f"WordPiece: {unknown!r}, the token for unknown words, is not among the {len(self.tokens)} of the "
                "vocabulary",
                hint=f"unknown={close!r}" if close else "the whole vocab.txt of a model, special tokens included",
            )
        self._unknown = self._vocab[unknown]
        self._inside = {token[2:]: i for token, i in self._vocab.items() if token.startswith(_INSIDE)}
        self._longest = max(map(len, self.tokens))
        self._special = re.compile("|".join(map(re.escape, sorted(self.special_tokens, key=len, reverse=True))))
        self._normalize = Normalizer(lowercase=self.lowercase, strip_accents=self.strip_accents)
        self._ids_of_chunk = WordCache(self._spell_ids)
        self._spans_of_chunk = WordCache(self._spell)

    @classmethod
    def from_file(cls, path: str | Path, **settings: Any) -> WordPiece:
        """Read a ``vocab.txt``: one token a line, and the first line has id 0.

        Args:
            path: the file.
            settings: what else the constructor takes.

        Raises:
            DataError: the file cannot be read, is not UTF-8, or is no vocabulary.
        """
        try:
            text = Path(path).read_bytes().decode("utf-8-sig")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DataError(f"cannot read the vocabulary {path}: {reason}", hint="the path of a vocab.txt") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is no vocab.txt: its byte {error.start} is not UTF-8") from error
        lines = text.rstrip("\r\n").split("\n") if text.strip() else []
        lines = [line.removesuffix("\r") for line in lines]
        try:
            return cls(lines, **settings)
        except DataError as error:
            raise DataError(f"{path}: {error.message.removeprefix('WordPiece: ')}", hint=error.hint) from None

    def save(self, path: str | Path) -> None:
        """Write a ``vocab.txt``, which holds the tokens and none of the settings.

        Raises:
            CheckpointError: the file cannot be written.
        """
        write_atomically(Path(path), lambda file: file.write(("\n".join(self.tokens) + "\n").encode()))

    @property
    def n_vocab(self) -> int:
        """How many ids there are, V."""
        return len(self.tokens)

    @property
    def special_tokens(self) -> dict[str, int]:
        """The special tokens that the vocabulary has, and their ids."""
        return {token: self._vocab[token] for token in self.spelled.values() if token in self._vocab}

    def encode(
        self, text: str, pair: str | None = None, *, special: bool = True, allow_special: bool = False
    ) -> list[int]:
        """Turn a text or a pair of texts into ids: ``[CLS] text [SEP]`` or ``[CLS] text [SEP] pair [SEP]``.

        Nothing is cut off: ``row`` and ``batch`` can do that, and they say how much.

        Args:
            text: the text.
            pair: the second text, e.g. the passage after a query.
            special: put the frame of [CLS] and [SEP] around them.
            allow_special: the letters "[SEP]" in a text become the special token, as in tokenizers. Leave it off where
                texts are not your own: they could end a passage with it.

        Raises:
            DataError: ``special`` is asked of a vocabulary without [CLS] or [SEP].
        """
        parts = [self._ids(part, allow_special) for part in (text, pair) if part is not None]
        return self._framed(parts, special)

    def encode_to_numpy(
        self, text: str, pair: str | None = None, *, special: bool = True, allow_special: bool = False
    ) -> np.ndarray[Any, Any]:
        """Turn a text into an array of ids, uint16 where V fits and uint32 where it does not."""
        dtype = np.uint16 if self.n_vocab <= 2**16 else np.uint32
        return np.array(self.encode(text, pair, special=special, allow_special=allow_special), dtype)

    def count(self, text: str, pair: str | None = None, *, special: bool = True) -> int:
        """Return how many ids ``encode`` gives, its frame included."""
        return len(self.encode(text, pair, special=special))

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces of a text, without a frame."""
        return [self.tokens[i] for i in self._ids(text)]

    def row(
        self,
        text: str,
        pair: str | None = None,
        *,
        max_length: int | None = None,
        special: bool = True,
        allow_special: bool = False,
    ) -> Row:
        """Turn a text or a pair into ids, with their types and their places in the text.

        Args:
            text, pair, special, allow_special: as in ``encode``.
            max_length: the most tokens a row may have, frame included. Of a pair the longer text is cut first.

        Raises:
            ConfigError: ``max_length`` leaves no room for the frame.
            DataError: ``special`` is asked of a vocabulary without [CLS] or [SEP].

        Example:
            >>> tokenizer = WordPiece(["[UNK]", "[CLS]", "[SEP]", "to", "be", "##e"])
            >>> tokenizer.row("To bee, to be", max_length=6)
            Row(ids=[1, 3, 4, 5, 0, 2], types=[0, 0, 0, 0, 0, 0],
                offsets=[(0, 0), (0, 2), (3, 5), (5, 6), (6, 7), (0, 0)], cut=2)
        """
        parts = [self._spans(part, allow_special) for part in (text, pair) if part is not None]
        parts, cut = shortened(parts, max_length, special)
        ids = self._framed([[i for i, _, _ in part] for part in parts], special)
        offsets = [[(begin, end) for _, begin, end in part] for part in parts]
        framed = frame(offsets, (0, 0), (0, 0)) if special else list(chain.from_iterable(offsets))
        return Row(ids, types(parts, special), framed, cut)

    def batch(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        special: bool = True,
        allow_special: bool = False,
    ) -> Batch:
        """Turn B texts, or B pairs, into arrays padded with [PAD] to the longest row.

        Args:
            texts: the texts.
            pairs: the second text of each.
            max_length, special, allow_special: as in ``row``.

        Raises:
            ConfigError: ``max_length`` leaves no room for the frame.
            DataError: one string instead of several, as many pairs as there are not texts, or a vocabulary without
                [CLS], [SEP] or [PAD].

        Example:
            >>> tokenizer = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "to", "be"])
            >>> batch = tokenizer.batch(["to be", "to"])
            >>> batch.ids.tolist(), batch.mask.sum(axis=1).tolist()
            ([[2, 4, 5, 3], [2, 4, 3, 0]], [4, 3])
        """
        if isinstance(texts, str) or isinstance(pairs, str):
            raise DataError("batch: got one string where it takes several", hint="put it into a list: [text]")
        if pairs is not None and len(pairs) != len(texts):
            raise DataError(f"batch: {len(texts)} texts and {len(pairs)} pairs", hint="one second text for each text")
        rows, kinds, cuts = [], [], []
        for given in zip(texts, pairs, strict=True) if pairs is not None else zip(texts, strict=True):
            parts, cut = shortened([self._ids(part, allow_special) for part in given], max_length, special)
            rows.append(self._framed(parts, special))
            kinds.append(types(parts, special))
            cuts.append(cut)
        pad = self._id("pad") if len(set(map(len, rows))) > 1 else 0
        return padded(rows, kinds, cuts, pad)

    def decode(self, ids: Iterable[int], *, special: bool = False) -> str:
        """Turn ids into words with spaces between them; case, accents and the original spaces are lost.

        Args:
            ids: the ids.
            special: show [CLS], [SEP] and [PAD], too.

        Raises:
            TokenError: an id is not in the vocabulary.
        """
        ids = known_ids(ids, self.n_vocab)
        hidden = () if special else {self.spelled[role] for role in ("cls", "sep", "pad")}
        shown = [token for token in map(self.tokens.__getitem__, ids) if token not in hidden]
        return " ".join(shown).replace(" " + _INSIDE, "")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Turn ids into the UTF-8 of what ``decode`` gives.

        Raises:
            TokenError: an id is not in the vocabulary.
        """
        return self.decode(ids).encode()

    def to_dict(self) -> dict[str, Any]:
        """Return what ``from_dict`` needs, as JSON can hold it."""
        settings = {key: getattr(self, key) for key in ("lowercase", "strip_accents", "max_word_chars")}
        return {"kind": self.name, "vocab": list(self.tokens), **settings, **self.spelled}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> WordPiece:
        """Make the tokenizer that ``to_dict`` described.

        Raises:
            DataError: the vocabulary is missing, or a setting is none of WordPiece's.
        """
        settings = {key: value for key, value in saved.items() if key not in ("kind", "vocab")}
        if not isinstance(saved.get("vocab"), list):
            raise DataError("WordPiece: the saved description has no list 'vocab'")
        try:
            return cls(saved["vocab"], **settings)
        except TypeError as error:
            raise DataError(f"WordPiece: the saved description does not fit: {error}") from None

    def _ids(self, text: str, allow_special: bool = False) -> list[int]:
        if allow_special:
            return [i for i, _, _ in self._spans(text, True)]
        text = without_surrogates(text)
        chunks = _CHUNK.findall(text) if any(char in text for char in _NO_SPACE) else text.split()
        return list(chain.from_iterable(map(self._ids_of_chunk.__getitem__, chunks)))

    def _spans(self, text: str, allow_special: bool) -> list[Span]:
        whole = without_surrogates(text)
        spans: list[Span] = []
        place = 0
        for special in self._special.finditer(whole) if allow_special else ():
            spans += self._spans_between(whole, place, special.start())
            spans.append((self._vocab[special[0]], *special.span()))
            place = special.end()
        spans += self._spans_between(whole, place, len(whole))
        if len(whole) != len(text):  # pairs of surrogates have become one character each
            starts = [*(unit.start() for unit in _UNIT.finditer(text)), len(text)]
            spans = [(i, starts[begin], starts[end]) for i, begin, end in spans]
        return spans

    def _spans_between(self, text: str, begin: int, end: int) -> list[Span]:
        spans = []
        for chunk in _CHUNK.finditer(text, begin, end):
            start = chunk.start()
            spans += [(i, start + a, start + b) for i, a, b in self._spans_of_chunk[chunk[0]]]
        return spans

    def _spell(self, chunk: str) -> tuple[Span, ...]:
        """Spell what stands between two spaces, and say which of its characters each token came from."""
        words, places = self._normalize.with_places(chunk)
        spans = []
        for word in _WORD.finditer(words):
            begin = word.start()
            for i, end in self._pieces(word[0]):
                spans.append((i, places[begin], places[word.start() + end - 1] + 1))
                begin = word.start() + end
        return tuple(spans)

    def _spell_ids(self, chunk: str) -> tuple[int, ...]:
        """Do as ``_spell``, without the places: most words are one token."""
        ids: list[int] = []
        for word in self._normalize(chunk).split():
            known = self._vocab.get(word)
            if known is None or len(word) > self.max_word_chars:
                ids += [i for i, _ in self._pieces(word)]
            else:
                ids.append(known)
        return tuple(ids)

    def _pieces(self, word: str) -> list[tuple[int, int]]:
        """Spell a word with the longest pieces from the left, as (id, end); one unknown if a part has none."""
        unknown = [(self._unknown, len(word))]
        if len(word) > self.max_word_chars:
            return unknown
        pieces: list[tuple[int, int]] = []
        begin, known = 0, self._vocab
        while begin < len(word):
            for end in range(min(len(word), begin + self._longest), begin, -1):
                found = known.get(word[begin:end])
                if found is not None:
                    break
            else:
                return unknown
            pieces.append((found, end))
            begin, known = end, self._inside
        return pieces

    def _framed(self, parts: list[list[int]], special: bool) -> list[int]:
        return frame(parts, self._id("cls"), self._id("sep")) if special else list(chain.from_iterable(parts))

    def _id(self, role: str) -> int:
        token = self.spelled[role]
        if token not in self._vocab:
            raise DataError(
                f"WordPiece: the vocabulary has no {token!r}", hint=f"special=False, or {role}= its spelling"
            )
        return self._vocab[token]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WordPiece) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.tokens, self.lowercase, self.strip_accents, self.max_word_chars))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        return f"WordPiece({self.n_vocab} tokens, lowercase={self.lowercase}, strip_accents={self.strip_accents})"


def _by_id(vocab: Sequence[str] | Mapping[str, int]) -> tuple[str, ...]:
    """Return the tokens in the order of their ids."""
    if isinstance(vocab, Mapping):
        tokens = sorted(vocab, key=vocab.__getitem__)
        hole = next((i for i, token in enumerate(tokens) if vocab[token] != i), None)
        if hole is not None:
            raise DataError(
                f"WordPiece: {tokens[hole]!r} has id {vocab[tokens[hole]]} where {hole} is next",
                hint="ids from 0 on, each once",
            )
    else:
        tokens = list(vocab)
    if not tokens:
        raise DataError("WordPiece: the vocabulary is empty")
    seen: dict[str, int] = {}
    for i, token in enumerate(tokens):
        if not isinstance(token, str) or not token or "\n" in token:
            raise DataError(f"WordPiece: token {i} is {token!r}", hint="one non-empty line for each token")
        if seen.setdefault(token, i) != i:
            raise DataError(f"WordPiece: {token!r} is token {seen[token]} and token {i}", hint="each token once")
    return tuple(tokens)
