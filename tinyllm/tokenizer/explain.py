"""How a text became these tokens, what that costs, and what it would cost in another language or encoding.

Plain data: ``viz`` draws it, the command line prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError, nearest
from .encoding import Encoding
from .split import split
from .surrogates import without_surrogates

if TYPE_CHECKING:
    from . import Tokenizer

# the merges of one text


@dataclass(frozen=True)
class Step:
    """Two neighbors that became one token.

    Attributes:
        at: which part the left one was.
        left, right: what they spelled.
        rank: the place of their merge in the order of merging; the lowest among all neighbors, at the leftmost place.
        token: the id of what they became.
        parts: all parts of the piece after it.
        times: how often the two stood side by side when their merge was learned; None where nobody knows.
    """

    at: int
    left: bytes
    right: bytes
    rank: int
    token: int
    parts: tuple[bytes, ...]
    times: int | None = None


@dataclass(frozen=True)
class Piece:
    """One piece of a text on its way from bytes to tokens.

    Attributes:
        data: the bytes of the piece.
        steps: the merges, in order.
        whole: whether it is a token and was taken at once; the merges are those that would have led to it, if any.
        ids: the tokens it became.
    """

    data: bytes
    steps: tuple[Step, ...]
    whole: bool
    ids: tuple[int, ...]

    @property
    def start(self) -> tuple[bytes, ...]:
        """The parts before the first merge: single bytes."""
        return tuple(bytes((byte,)) for byte in self.data)

    def lines(self) -> Iterator[str]:
        """Yield a line for the piece, one for each merge, and one for its ids."""
        yield shown(self.data)
        yield "    " + " ".join(map(shown, self.start))
        width = max((len(" ".join(map(shown, step.parts))) for step in self.steps), default=0)
        for step in self.steps:
            parts = " ".join(map(shown, step.parts))
            yield f"    {parts:<{width}}   {shown(step.left)} + {shown(step.right)}, rank {step.rank:,}"
        if self.whole and len(self.data) - len(self.steps) > 1:
            yield "    no merges lead to it, but the piece is a token: taken whole"
        yield "    = " + " ".join(map(str, self.ids))


@dataclass(frozen=True)
class Trace:
    """A text on its way from bytes to tokens.

    Attributes:
        encoding: the name of the encoding.
        pieces: what the text was cut into.
    """

    encoding: str
    pieces: tuple[Piece, ...]

    @property
    def ids(self) -> list[int]:
        """The tokens of the text."""
        return [i for piece in self.pieces for i in piece.ids]

    def lines(self) -> Iterator[str]:
        """Yield what ``str`` joins."""
        for piece in self.pieces:
            yield from piece.lines()

    def __str__(self) -> str:
        return "\n".join(self.lines())


def trace(encoding: Encoding, text: str) -> Trace:
    """Encode a text and keep every merge; special tokens are plain text.

    Args:
        encoding: whose ids are meant.
        text: a word or a few; each piece takes time that grows with the square of its length.

    Example:
        >>> ranks = {bytes((i,)): i for i in range(256)} | {b"he": 256, b"ll": 257, b"hell": 258}
        >>> print(trace(Encoding("toy", pat_str="gpt2", mergeable_ranks=ranks), "hello you"))
        hello
            h e l l o
            he l l o   h + e, rank 256
            he ll o    l + l, rank 257
            hell o     he + ll, rank 258
            = 258 111
        ␣you
            ␣ y o u
            = 32 121 111 117
    """
    pieces = [piece.encode() for piece in split(encoding.clean(text), encoding.pattern)]
    return Trace(encoding.name, tuple(_trace_piece(encoding, piece) for piece in pieces))


def _trace_piece(encoding: Encoding, data: bytes) -> Piece:
    steps = []
    parts = [bytes((byte,)) for byte in data]
    while found := [(r, i) for i in range(len(parts) - 1) if (r := encoding.rank(parts[i], parts[i + 1])) is not None]:
        rank, i = min(found)
        left, right = parts[i : i + 2]
        parts[i : i + 2] = [left + right]
        times = encoding.counts[rank] if encoding.counts else None
        steps.append(Step(i, left, right, rank, encoding.ranks[left + right], tuple(parts), times))
    whole = encoding.ignore_merges and data in encoding.ranks
    ids = [encoding.ranks[part] for part in ([data] if whole else parts)]
    return Piece(data, tuple(steps), whole, tuple(ids))


def shown(token: bytes) -> str:
    r"""Return bytes as one can read them in a line: a space is ␣, what is no UTF-8 or has no shape is escaped.

    Example:
        >>> print(shown(b" na\xc3\xafve\n"), shown(b"\xe4\xb8"), shown(bytearray(b"a")))
        ␣naïve\n \xe4\xb8 a
    """
    text = bytes(token).decode("utf-8", "backslashreplace").replace(" ", "␣")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


# how much a text costs


@dataclass(frozen=True)
class Row:
    """One text in one encoding.

    Attributes:
        language, encoding: their names.
        bytes, characters, tokens: how many.
        to_language: its tokens over those of the base language, in the same encoding.
        to_encoding: its tokens over those of the base encoding, in the same language.
    """

    language: str
    encoding: str
    bytes: int
    characters: int
    tokens: int
    to_language: float
    to_encoding: float

    @property
    def bytes_per_token(self) -> float:
        """How many bytes of UTF-8 a token spells on average."""
        return self.bytes / self.tokens

    @property
    def characters_per_token(self) -> float:
        """How many characters a token spells on average."""
        return self.characters / self.tokens


@dataclass(frozen=True)
class Compression:
    """Texts by languages and encodings; rows are in the order of the languages, then of the encodings.

    Attributes:
        rows: one for each text in each encoding.
        base_language, base_encoding: what the ratios are to.
    """

    rows: tuple[Row, ...]
    base_language: str
    base_encoding: str

    def row(self, language: str, encoding: str) -> Row:
        """Return one row.

        Raises:
            ConfigError: there is no such row.
        """
        for row in self.rows:
            if (row.language, row.encoding) == (language, encoding):
                return row
        raise ConfigError(f"compression: there is no row for {language!r} in {encoding!r}")


def compression(
    texts: Mapping[str, str],
    encodings: Iterable[Tokenizer],
    base_language: str | None = None,
    base_encoding: str | None = None,
) -> Compression:
    """Count the tokens of texts in several languages and encodings.

    Where the texts are translations of each other, ``to_language`` says how many times more a language pays than the
    base for the same content.

    Args:
        texts: language -> text; special tokens are plain text.
        encodings: tokenizers of any kind, by different names.
        base_language, base_encoding: names of what the ratios are to; by default the first.

    Raises:
        DataError: there is no text, or an empty one.
        ConfigError: there is no encoding, two have one name, or a base is not among those given.

    Source: Petrov, La Malfa, Torr, Bibi, "Language Model Tokenizers Introduce Unfairness Between Languages" (2023).

    Example:
        >>> from tinyllm.tokenizer import ByteTokenizer, CharTokenizer
        >>> texts = {"English": "water", "Hindi": "पानी"}
        >>> report = compression(texts, [ByteTokenizer(), CharTokenizer("waterपानी")])
        >>> row = report.row("Hindi", "bytes")
        >>> row.tokens, row.to_language, report.row("Hindi", "chars").characters_per_token
        (12, 2.4, 1.0)
    """
    by_name: dict[str, Tokenizer] = {}
    for encoding in encodings:
        if by_name.setdefault(encoding.name, encoding) is not encoding:
            raise ConfigError(f"compression: two encodings are called {encoding.name!r}", hint="names that differ")
    texts = {language: without_surrogates(text) for language, text in texts.items()}
    for language, text in texts.items():
        if not text:
            raise DataError(f"compression: the text of {language!r} is empty")
    base_language = _base("language", base_language, texts)
    base_encoding = _base("encoding", base_encoding, by_name)
    counts = {(lang, name): _count(by_name[name], text) for lang, text in texts.items() for name in by_name}
    rows = [
        Row(
            language, name, len(text.encode()), len(text), counts[language, name],
            counts[language, name] / counts[base_language, name],
            counts[language, name] / counts[language, base_encoding],
        )
        for language, text in texts.items()
        for name in by_name
    ]  # fmt: skip
    return Compression(tuple(rows), base_language, base_encoding)


def _base(what: str, asked: str | None, names: Mapping[str, Any]) -> str:
    if not names:
        raise ConfigError(f"compression: there is no {what}", hint="at least one")
    if asked is None:
        return next(iter(names))
    if asked not in names:
        raise ConfigError(f"compression: the base {what} {asked!r} is not given", hint=nearest(asked, names))
    return asked


def _count(encoding: Tokenizer, text: str) -> int:
    return encoding.count(text, disallowed_special=()) if isinstance(encoding, Encoding) else len(encoding.encode(text))


def cost(tokens: int, price_per_million: float) -> float:
    """Return what tokens cost, in the currency of the price.

    Raises:
        ConfigError: a number is negative.

    Example:
        >>> cost(250_000, 3.0)
        0.75
    """
    if not tokens >= 0 or not price_per_million >= 0:
        raise ConfigError(f"cost: {tokens!r} tokens at {price_per_million!r} per million", hint="numbers from 0")
    return tokens * price_per_million / 1e6
