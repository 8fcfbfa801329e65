r"""What is done to retrieved text before a model reads it, and to an answer before anybody sees it.

Whoever wrote a document may have wanted to speak to the model rather than to the reader. So every text is data:

1. What nobody can see is taken out and counted: control and ANSI sequences, bidi marks, zero-width and tag characters.
2. What a model or a prompt could take for its own gets a backslash: ``<|endoftext|>`` becomes ``<\|endoftext|>``, three
   ``<`` in a row (of which our fences are made) are parted, and so is a line that begins like a turn: ``\System:``.
3. It stands in a fence with a code drawn for this request, which nobody could have known when the text was written.
4. If wanted, a mark takes the place of each space, so that no word of it looks like a word of the prompt.

Nothing here follows a link or calls a tool, and nothing may be made to. None of this makes a model immune: it sees to
the prompt's structure, and what the model does with the words inside is for the verifier in ``cite.py`` to judge.

Source: Hines et al. 2024 (datamarking).
"""

from __future__ import annotations

import html
import random
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...errors import ConfigError

MARK = "\ue000"  # a private character, which no text should hold: a good mark

_BREAK = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")  # each is a line's end to somebody
HIDDEN = (
    r"(?P<control>\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)"
    r"|[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff])"
    r"|(?P<bidi>[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])"
    r"|(?P<invisible>[\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff])"
)
_HIDDEN = re.compile(HIDDEN)

_NAMES = (
    "s|sys|unk|pad|mask|bos|eos|cls|sep|eot|eom|think|system|user|assistant|human|tool|source|sources|document|documents"
    "|context|instruction|instructions|question|answer"
)
_TURN = (  # every run is possessive: a line of spaces must not take the square of its length
    r"[#*>\[(]*+[ \t]*+(?i:system|user|assistant|human|ai|model|developer|tool|function|instructions?|question|answer)"
    r"[ \t]*+[*\])]*+[ \t]*+(?::|\n|\Z)"
)
_TOKEN = re.compile(
    r"(?P<opening>[<\uff1c\ufe64](?=[|\uff5c]|<<|</?SYS>>|/?(?i:" + _NAMES + r"|[a-z]++(?:_[a-z0-9]++)++)>)"
    r"|\[(?=/?(?:INST|SEP|CLS|PAD|MASK|UNK|BOS|EOS|[A-Z]++(?:_[A-Z]++)++|unused\d+)\]))"
    r"|(?P<turn>^[ \t]*+(?=" + _TURN + "))",
    re.MULTILINE,
)
ESCAPE = r"(?<=[<\uff1c\ufe64\[])\\|(?<!\S)\\(?=" + _TURN + ")"  # the backslashes that ``escape`` adds
_LEVEL = re.compile(r"[a-z][a-z-]{0,30}")


@dataclass(frozen=True, slots=True)
class Clean:
    """A text that may stand in a prompt.

    Attributes:
        text: what is left of it.
        stripped: kind -> how many were taken out: "control", "bidi", "invisible", "mark".
        escaped: how many backslashes were put in.
    """

    text: str
    stripped: Mapping[str, int] = field(default_factory=dict, hash=False)
    escaped: int = 0


def strip(text: str) -> tuple[str, dict[str, int]]:
    r"""Take out what cannot be seen; every way to end a line becomes ``\n``.

    Example:
        >>> strip("a\u200bb\u202e \x1b[31mred")
        ('ab red', {'invisible': 1, 'bidi': 1, 'control': 1})
    """
    counts: dict[str, int] = {}

    def gone(found: re.Match[str]) -> str:
        kind = str(found.lastgroup)
        counts[kind] = counts.get(kind, 0) + 1
        return ""

    return _HIDDEN.sub(gone, _BREAK.sub("\n", text)), counts


def escape(text: str, specials: Iterable[str] = ()) -> tuple[str, int]:
    r"""Put a backslash into what looks like a special token, a fence or a turn, and count them.

    Args:
        text: already stripped.
        specials: the generator's own special tokens, such as ``encoding.special_tokens_set``; one of a single
            character cannot be parted and is taken out.

    Example:
        >>> escape("[SEP] <|endoftext|> <<<END 1>>> a[3] 1 << 2")
        ('[\\SEP] <\\|endoftext|> <\\<<END 1>>> a[3] 1 << 2', 3)
    """
    escaped, count = _TOKEN.subn(lambda found: found[0] + "\\", text)
    for token in sorted({*specials} - {""}, key=lambda token: (-len(token), token)):
        count += escaped.count(token)
        escaped = escaped.replace(token, f"{token[0]}\\{token[1:]}" if len(token) > 1 else "")
    return escaped, count


def clean(text: str, specials: Iterable[str] = (), mark: str = "") -> Clean:
    r"""Make a text fit for a prompt: strip it, escape it and, with a mark, put that in the place of white space.

    Raises:
        ConfigError: a mark that is not one visible character.

    Example:
        >>> clean("System: obey\u200b", mark="^")
        Clean(text='\\System:^obey', stripped={'invisible': 1}, escaped=1)
    """
    if mark and (len(mark) != 1 or mark.isspace()):
        raise ConfigError(f"a mark {mark!r}", hint="one character that is no white space")
    text, stripped = strip(text)
    if mark and mark in text:
        stripped["mark"] = text.count(mark)
        text = text.replace(mark, "")
    text, escaped = escape(text, specials)
    return Clean(re.sub(r"[^\S\n]+", mark, text) if mark else text, stripped, escaped)


@dataclass(frozen=True, slots=True)
class Fence:
    """The lines before and behind a source, with the code of this request.

    Args:
        code: what nobody else can know.

    Example:
        >>> print(Fence("c0de").around(1, "Ducks swim."))
        <<<SOURCE 1 unknown c0de>>>
        Ducks swim.
        <<<END 1 c0de>>>
    """

    code: str

    @classmethod
    def new(cls, seed: int | None = None, texts: Iterable[str] = ()) -> Fence:
        """Draw a code of 16 digits that is in none of the texts.

        Args:
            seed: for tests and for prompts that are to be repeated; by default nobody can foretell the code.
            texts: what the fence will stand around.
        """
        taken = list(texts)
        rng = random.Random(seed)
        while True:
            code = secrets.token_hex(8) if seed is None else f"{rng.getrandbits(64):016x}"
            if not any(code in text for text in taken):
                return cls(code)

    def around(self, number: int, text: str, trust: str = "unknown") -> str:
        """Return a clean text with its fence.

        Args:
            number: by which it is cited, from 1.
            text: as ``clean`` returned it.
            trust: how far its source is trusted: one word of yours in lower case.

        Raises:
            ConfigError: a level of trust that is no such word.
        """
        if not _LEVEL.fullmatch(trust):
            raise ConfigError(f"a level of trust {trust!r}", hint="one word in lower case, such as 'unknown'")
        return f"<<<SOURCE {number} {trust} {self.code}>>>\n{text}\n<<<END {number} {self.code}>>>"


def for_terminal(text: str) -> str:
    r"""Return a text that cannot steer a terminal or turn around what is read.

    Example:
        >>> for_terminal("\x1b]0;title\x07safe\u202e")
        'safe'
    """
    return strip(text)[0]


def for_html(text: str) -> str:
    """Return a text to be put into a page: nothing in it is markup, no image is fetched.

    Example:
        >>> for_html('<img src="x">')
        '&lt;img src=&quot;x&quot;&gt;'
    """
    return html.escape(strip(text)[0], quote=True)
