"""From the words of the command line to a text and an encoding."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, DataError, SpecialTokenError, nearest
from .patience import patience

if TYPE_CHECKING:
    from ...tokenizer import Encoding

SPECIAL = ("plain", "token", "error")
DISTINCT = ("gpt2", "p50k_base", "cl100k_base", "o200k_base")  # the others give the same ids for a text as one of these
_LOOKS_LIKE_A_FILE = re.compile(r"[^\s:]*[^\s:/]\.[A-Za-z]\w{0,9}")


@dataclass(frozen=True)
class Text:
    """What is to be cut into tokens.

    Attributes:
        data: its bytes, exactly.
        name: of the file; "" for words of the command line.
        note: what the user should know of how this was understood.
    """

    data: bytes
    name: str = ""
    note: str = ""

    @property
    def text(self) -> str | None:
        """The text, or None where the bytes are no UTF-8."""
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return None

    @property
    def characters(self) -> int:
        """How many there are; a byte that is no part of one counts as one."""
        return len(self.data.decode("utf-8", "replace"))


def text_of(words: list[str], as_text: bool = False) -> Text:
    """Read standard input, a file, or the words themselves.

    Args:
        words: of the command line.
        as_text: do not look for a file.

    Raises:
        DataError: there are no words; a folder, or several files are named.
        OSError: the file cannot be read.
    """
    if not words:
        raise DataError("there is no text", hint='tinyllm tokens "a text", a file, or - for standard input')
    if not as_text:
        if words == ["-"]:
            return _seen(sys.stdin.buffer.read(), "standard input")
        files = [word for word in words if os.path.exists(word)]
        if len(files) > 1 or (files and os.path.isdir(files[0])):
            what = f"{files[0]} is a folder" if len(files) == 1 else f"{len(files)} files are named"
            raise DataError(what, hint=f"tinyllm tokens compress {' '.join(files[:3])}")
        if len(words) == 1 and files:
            return _seen(Path(words[0]).read_bytes(), words[0])
    note = ""
    if not as_text and len(words) == 1 and _LOOKS_LIKE_A_FILE.fullmatch(words[0]):
        note = f"there is no file {words[0]}: these are the tokens of its name"
    return Text(b" ".join(os.fsencode(word) for word in words), note=note)


def _seen(data: bytes, name: str) -> Text:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        utf16 = " (it looks like UTF-16)" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ""
        return Text(data, name, f"{name} is no UTF-8 text{utf16}: byte {error.start:,} is {data[error.start]:#04x}")
    return Text(data, name)


def encoding_of(name: str | None, model: str | None = None) -> Encoding:
    """Return the encoding that is meant: by name, in a file, or that of a model.

    Args:
        name: of an encoding, or a path; by default o200k_base where it is at hand, else gpt2.
        model: of OpenAI's, instead of a name.

    Raises:
        ConfigError, DataError: there is none, its file is not here, or what it gives is not bytes.
    """
    from ...tokenizer import Encoding, encoding_for_model, encoding_name_for_model, get_encoding, list_encoding_names

    if model is not None:
        if name is not None:
            raise ConfigError(f"--encoding {name} and --model {model}: both say which encoding", hint="one of them")
        return encoding_for_model(model)
    if name is None:
        return get_encoding(next(at_hand(("o200k_base", "gpt2")), "o200k_base"))
    names = list_encoding_names()
    if name in names:
        return get_encoding(name)
    if not os.path.exists(name):
        model = name
        try:
            encoding_name_for_model(model)
        except ConfigError as unknown:
            model = str(unknown.hint)  # the model that is spelled most like it
        close = nearest(name, [*names, model])
        hint = f"--model {model}" if close == model and model not in names else close
        raise ConfigError(
            f"there is no encoding or file {name!r}",
            hint=hint or f"one of {', '.join(names)}, or the path of a vocabulary file",
        )
    from ...tokenizer.files import load

    found: Any = load(name)
    if not isinstance(found, Encoding):
        raise ConfigError(
            f"{name} holds a {type(found).__name__}, whose tokens are not bytes of the text",
            hint="a byte-level BPE: .json, .tiktoken, vocab.json with merges.txt",
        )
    return found


def at_hand(names: tuple[str, ...] = DISTINCT) -> Iterator[str]:
    """Yield the named encodings whose file is on this machine."""
    from ... import assets

    for name in names:
        if assets.find("r50k_base" if name == "gpt2" else name) is not None:
            yield name


def numbers_of(encoding: Encoding, text: Text, special: str) -> Any:
    """Encode a text as an array of ids.

    Args:
        encoding: which.
        text: what.
        special: what becomes of special tokens in it: "plain" text, one "token", or an "error".

    Raises:
        SpecialTokenError: there is one, and special is "error".
    """
    import numpy as np

    words = text.text
    try:
        with patience():
            if words is None:
                return np.array(encoding.encode_bytes(text.data), np.uint32)
            allowed, disallowed = {"plain": ((), ()), "token": ("all", ()), "error": ((), "all")}[special]
            return encoding.encode_to_numpy(words, allowed_special=allowed, disallowed_special=disallowed)
    except SpecialTokenError as error:
        raise SpecialTokenError(
            error.message.removeprefix("encode: "),
            hint="--special token if it is meant as that token, --special plain if it is plain text",
        ) from None
