"""Encoding: text to token ids and back by byte-pair encoding, with the methods and arguments of tiktoken's class.

    from tinyllm.tokenizer import get_encoding

    encoding = get_encoding("cl100k_base")
    encoding.decode(encoding.encode("hello world"))

Short texts go through the plain Python of ``split`` and ``bytepair``. A long one loads the Numba kernels, which give
the same ids a hundred times faster, and from then on do all the work.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..errors import ConfigError, DTypeError
from . import bytepair
from .specials import Names, Specials
from .split import Pattern, find_pattern, split
from .surrogates import without_surrogates
from .unicode16 import UNICODE_VERSION, classes
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from ..kernels.bpe.encode import Encoder

R = TypeVar("R")

LONG = 1 << 16  # characters in one text that are worth loading the kernels for
MUCH = 1 << 20  # characters in many short texts that are, too
_MOST_WORDS = 1 << 15  # pieces remembered by the plain Python encoder


class Encoding(Vocabulary):
    """A byte-level BPE vocabulary and how to use it.

    Args:
        name: what it is called.
        pat_str: how text is cut into pieces: a name of ``split.PATTERNS``, its published regex, or a compiled
            ``re.Pattern`` of your own.
        mergeable_ranks: token -> id, with all 256 single bytes.
        special_tokens: string -> id of tokens that no text spells by accident.
        explicit_n_vocab: how many tokens there must be, all ids in use; checked.
        merges: (left, right) in the order in which they were learned. Without them any two neighbors may merge that
            spell a token, the token with the lowest id first, as files of ranks mean it.
        counts: of each merge, how often its two halves stood side by side when it was learned.
        ignore_merges: take a piece that is a token at once, even where no merges lead to it. By default so for ranks,
            and not so for merges.
        tie: the rule by which training chose among equally frequent pairs.

    Attributes:
        unicode_version: of the character classes that cut the text.
        rank: of two neighbors, the place of their merge in the order of merging; None where they do not merge.
        settings: what a model's folder says beside the vocabulary: ``chat_template``, ``bos_token``, ``eos_token`` and
            the like, as far as something was read. No method goes by them; whoever saves the model writes them back.

    Raises:
        ConfigError: the vocabulary contradicts itself, or lacks a single byte.

    Example:
        >>> ranks = {bytes((i,)): i for i in range(256)} | {b"he": 256, b"ll": 257, b"hell": 258}
        >>> toy = Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={"<|end|>": 259})
        >>> toy.encode("hello<|end|>", allowed_special="all")
        [258, 111, 259]
        >>> toy.decode([258, 111, 259])
        'hello<|end|>'
    """

    unicode_version = UNICODE_VERSION
    settings: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        name: str,
        *,
        pat_str: str | re.Pattern[str] | Pattern | None,
        mergeable_ranks: Mapping[bytes, int],
        special_tokens: Mapping[str, int] | None = None,
        explicit_n_vocab: int | None = None,
        merges: Sequence[tuple[bytes, bytes]] | None = None,
        counts: Sequence[int] | None = None,
        ignore_merges: bool | None = None,
        tie: str | None = None,
    ) -> None:
        super().__init__(name, mergeable_ranks, special_tokens or {}, merges, counts)
        self.pattern = find_pattern(pat_str)
        self.ignore_merges = merges is None if ignore_merges is None else ignore_merges
        self.tie = tie
        found = len(self.ranks) + len(self.specials.ids)
        if explicit_n_vocab is not None and not found == self.n_vocab == explicit_n_vocab:
            raise ConfigError(
                f"{name}: has {found} tokens and ids to {self.max_token_value}, which is not the explicit_n_vocab of "
                f"{explicit_n_vocab}"
            )
        self._begin()

    def _begin(self) -> None:
        """Start with nothing remembered and no kernels."""
        if self.merges is None:
            self.rank: bytepair.Rank = bytepair.by_id(self.ranks)
        else:
            order = {pair: place for place, pair in reversed(list(enumerate(self.merges)))}
            self.rank = lambda left, right: order.get((left, right))
        self._words: dict[bytes, list[int]] = {}
        self._encoder: Encoder | None = None
        self._encoded = 0  # characters so far

    # text to ids

    def encode(self, text: str, *, allowed_special: Names = (), disallowed_special: Names = "all") -> list[int]:
        """Turn a text into token ids.

        Args:
            text: any str; surrogates that make a pair are joined, a lone one becomes U+FFFD.
            allowed_special: special tokens that are to be recognized, or "all".
            disallowed_special: strings that are an error in the text: "all" for all special tokens but the allowed
                ones; what is in neither is plain text, so ``disallowed_special=()`` makes every special token that.

        Raises:
            SpecialTokenError: the text holds a disallowed special token.
            DTypeError: text is no str.
        """
        usual = disallowed_special == "all" or not disallowed_special
        if usual and isinstance(text, str) and not self.specials.may_occur(text):
            return self.encode_ordinary(text)
        ids: list[int] = []
        for part in self.parts(text, allowed_special, disallowed_special):
            ids += [part] if isinstance(part, int) else self.encode_ordinary(part)
        return ids

    def encode_ordinary(self, text: str) -> list[int]:
        """Turn a text into token ids; special tokens in it are plain text."""
        encoder = self._encoder
        if encoder and self.pattern.family != "custom" and not self.pattern.normalize:
            try:
                return encoder.encode_list(text)
            except (UnicodeEncodeError, TypeError):  # surrogates, or no text at all
                pass
        text = self.clean(text)
        encoder = encoder or self._encoder_for(text)
        return self._fast_ids(encoder, text).tolist() if encoder else self._plain_ids(text)

    def encode_to_numpy(
        self, text: str, *, allowed_special: Names = (), disallowed_special: Names = "all"
    ) -> np.ndarray[Any, np.dtype[np.uint32]]:
        """Turn a text into a uint32 array of token ids; arguments and errors are those of ``encode``."""
        arrays = []
        for part in self.parts(text, allowed_special, disallowed_special):
            if isinstance(part, int):
                arrays.append(np.array([part], np.int32))
            else:
                encoder, clean = self._encoder_for(part), self.clean(part)
                arrays.append(self._fast_ids(encoder, clean) if encoder else np.array(self._plain_ids(clean), np.int32))
        joined = arrays[0] if len(arrays) == 1 else np.concatenate([np.empty(0, np.int32), *arrays])
        return joined.view(np.uint32)

    def encode_bytes(self, data: bytes) -> list[int]:
        r"""Turn bytes into token ids; what is not UTF-8 merges with the last piece before it.

        Example:
            >>> from tinyllm.tokenizer import get_encoding
            >>> get_encoding("cl100k_base").encode_bytes(b" \xec\x8b\xa4\xed")  # doctest: +SKIP
            [62085]
        """
        data = _as_bytes(data)
        try:
            return self.encode_ordinary(data.decode())
        except UnicodeDecodeError as error:
            from .unstable import take_back

            stable, last = take_back(self, data[: error.start].decode())
            return stable + self.encode_piece(last + data[error.start :])

    def encode_piece(self, piece: bytes) -> list[int]:
        """Turn bytes into token ids without cutting them."""
        if not isinstance(piece, bytes):
            piece = _as_bytes(piece)
        if self._encoder:
            return self._encoder.encode_piece(piece)
        found = self._words.get(piece)
        if found is None:
            ranks = self.ranks
            if self.ignore_merges and piece in ranks:
                found = [ranks[piece]]
            else:
                merge = bytepair.merge_all if len(piece) < 64 else bytepair.merge_all_by_heap
                found = [ranks[part] for part in merge(piece, self.rank)]
            if len(self._words) >= _MOST_WORDS:
                self._words.clear()
            self._words[piece] = found
        return list(found)

    def encode_batch(
        self,
        text: list[str],
        *,
        num_threads: int = 8,
        allowed_special: Names = (),
        disallowed_special: Names = "all",
    ) -> list[list[int]]:
        """Encode several texts, on several threads where that is faster; otherwise as ``encode``."""
        return self._each(
            lambda one: self.encode(one, allowed_special=allowed_special, disallowed_special=disallowed_special),
            text, num_threads,
        )  # fmt: skip

    def encode_ordinary_batch(self, text: list[str], *, num_threads: int = 8) -> list[list[int]]:
        """Encode several texts, on several threads where that is faster; otherwise as ``encode_ordinary``."""
        return self._each(self.encode_ordinary, text, num_threads)

    def encode_with_unstable(
        self, text: str, *, allowed_special: Names = (), disallowed_special: Names = "all"
    ) -> tuple[list[int], list[list[int]]]:
        """Encode a text that may go on: ids that stay whatever follows, and all ways its end may be completed.

        Errors are those of ``encode``.
        """
        from .unstable import encode_with_unstable

        return encode_with_unstable(self, text, allowed_special, disallowed_special)

    def encode_stream(
        self, chunks: Iterable[str] | Iterable[bytes], *, allowed_special: Names = (), disallowed_special: Names = "all"
    ) -> Iterator[int]:
        """Encode a text that comes in chunks: the ids of the chunks joined, however they are cut."""
        from .stream import encode_stream

        return encode_stream(self, chunks, allowed_special, disallowed_special)

    def encode_with_dropout(self, text: str, dropout: float, rng: np.random.Generator) -> list[int]:
        """Encode a text while each merge is left out with some probability, so that a model sees words in many forms.

        Source: Provilkov, Emelianenko, Voita, "BPE-Dropout: Simple and Effective Subword Regularization" (2020).
        """
        from .dropout import encode_with_dropout

        return encode_with_dropout(self, text, dropout, rng)

    # how much a text costs

    def count(self, text: str, *, allowed_special: Names = (), disallowed_special: Names = "all") -> int:
        """Return how many tokens ``encode`` would give."""
        total = 0
        for part in self.parts(text, allowed_special, disallowed_special):
            if isinstance(part, int):
                total += 1
            elif (encoder := self._encoder_for(part)) and self.pattern.family != "custom":
                total += encoder.count(self.clean(part).encode())
            else:
                total += len(self.encode_ordinary(part))
        return total

    def truncate(self, text: str, n: int) -> str:
        """Return the longest beginning of a text that by itself has at most n tokens; special tokens are plain text."""
        from .limits import truncate

        return truncate(self, text, n)

    def within_limit(self, text: str, n: int) -> bool:
        """Tell whether a text has at most n tokens, reading no further than needed; special tokens are plain text."""
        from .limits import within_limit

        return within_limit(self, text, n)

    # to files and back

    def save(self, path: str | Path, format: str | None = None, *, overwrite: bool = False) -> Path:
        """Write the vocabulary in a format of ``files.FORMATS``, by default the one that the path's ending says.

        Raises:
            ConfigError: there is no such format, it cannot say all of this encoding, or other content is at the path
                already, which only ``overwrite`` replaces.
        """
        from .files import save

        return save(self, path, format, overwrite=overwrite)

    def to_dict(self) -> dict[str, Any]:
        """Return all that ``from_dict`` needs to make an equal encoding, as JSON can hold it."""
        from .files.own import to_dict

        return to_dict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Encoding:
        """Make the encoding that ``to_dict`` described.

        Raises:
            DataError: a part is missing or damaged.
        """
        from .files.own import from_dict

        return from_dict(saved)

    # how it is done

    def parts(self, text: str, allowed_special: Names = (), disallowed_special: Names = "all") -> list[str | int]:
        """Take the special tokens out of a text: what lies between them, and their ids.

        Raises:
            SpecialTokenError: the text holds a disallowed special token.
        """
        allowed, forbidden = self.specials.choose(allowed_special, disallowed_special)
        if not isinstance(text, str):
            raise DTypeError(f"encode: the text is a {type(text).__name__}", hint="a str; for bytes, encode_bytes")
        if not (allowed or forbidden) or (forbidden <= self.specials.names and not self.specials.may_occur(text)):
            return [text]
        text = without_surrogates(text)
        self.specials.refuse(text, forbidden)
        found: list[str | int] = []
        done = 0
        for place, name in self.specials.occurrences(text, allowed):
            found += [text[done:place], self.specials.ids[name]] if place > done else [self.specials.ids[name]]
            done = place + len(name)
        return [*found, text[done:]] if done < len(text) else found

    def clean(self, text: str) -> str:
        """Return a text as it is cut into pieces: without surrogates, and in the normal form of the pattern."""
        if not isinstance(text, str):
            raise DTypeError(f"encode: the text is a {type(text).__name__}", hint="a str; for bytes, encode_bytes")
        text = without_surrogates(text)
        return unicodedata.normalize("NFC", text) if self.pattern.normalize else text

    def _plain_ids(self, text: str) -> list[int]:
        encode_piece = self.encode_piece
        return [i for piece in split(text, self.pattern) for i in encode_piece(piece.encode())]

    def _fast_ids(self, encoder: Encoder, text: str) -> np.ndarray[Any, np.dtype[np.int32]]:
        if self.pattern.family != "custom":
            return encoder.encode(text.encode())
        pieces = [piece.encode() for piece in split(text, self.pattern)]
        return encoder.encode_pieces(b"".join(pieces), np.cumsum([len(piece) for piece in pieces], dtype=np.int64))

    def _encoder_for(self, text: str) -> Encoder | None:
        """Return the Numba encoder where it is there, or where this text is the one that is worth loading it for."""
        from ..kernels import backend

        if backend() == "numpy":
            return None
        if self._encoder is None:
            self._encoded += len(text)
            loaded = "tinyllm.kernels.bpe.encode" in sys.modules
            if len(text) >= (LONG >> 4 if loaded else LONG) or self._encoded >= (MUCH >> 4 if loaded else MUCH):
                self.load_kernels()
        return self._encoder

    def load_kernels(self) -> None:
        """Load the Numba kernels now (the first time on a machine they are compiled) instead of at a long text."""
        from ..kernels.bpe.encode import Encoder
        from ..kernels.bpe.split import FAMILIES

        ids = self.ranks
        merges = merged = None
        if self.merges is not None:
            pairs = [(ids[left], ids[right], ids[left + right]) for left, right in self.merges]
            table = np.array(pairs, np.int32).reshape(-1, 3)
            merges, merged = np.ascontiguousarray(table[:, :2]), np.ascontiguousarray(table[:, 2])
        self._encoder = Encoder(
            np.frombuffer(classes(), np.uint8),
            FAMILIES.get(self.pattern.family, FAMILIES["whole"]),
            self.pattern.digits,
            self.pattern.ends_whole,
            list(ids),
            np.array(list(ids.values()), np.int32),
            merges,
            merged,
            self.ignore_merges,
        )

    def _each(self, work: Callable[[str], R], texts: Sequence[str], num_threads: int) -> list[R]:
        """Do the work on threads where the kernels, which let other threads run, have enough of it."""
        if isinstance(texts, str):
            raise DTypeError("encode: one text where several are due", hint="a list of texts; for one text, encode")
        characters = sum(len(text) for text in texts if isinstance(text, str))
        if num_threads < 2 or len(texts) < 2 or characters < LONG or not self._encoder_for("x" * LONG):
            return [work(text) for text in texts]
        from concurrent.futures import ThreadPoolExecutor

        from ..kernels import threads

        with ThreadPoolExecutor(min(num_threads, threads(), len(texts))) as pool:
            return list(pool.map(work, texts))

    def __getstate__(self) -> dict[str, Any]:
        kept = ("name", "pattern", "ranks", "merges", "counts", "ignore_merges", "tie")
        return {name: getattr(self, name) for name in kept} | {"special_tokens": self.specials.ids}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        self.specials = Specials(state.pop("special_tokens"))
        self.__dict__.update(state)
        self._make_table()
        self._begin()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Encoding) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash((self.name, self.pattern, len(self.ranks), len(self.specials.ids)))

    def __repr__(self) -> str:
        return f"<Encoding {self.name!r}>"


def _as_bytes(data: bytes) -> bytes:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise DTypeError(f"encode: the data are a {type(data).__name__}", hint="bytes; for a str, encode")
    return bytes(data)
