"""From the word for a tokenizer in a config to the tokenizer: bytes, chars, bpe:1024, gpt2, or a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from .. import kernels
from ..errors import ConfigError, DataError, nearest
from ..tokenizer import ByteTokenizer, CharTokenizer, Encoding, Tokenizer, get_encoding, list_encoding_names
from .stream import token_dtype

Told = Callable[[str, int, int | None], object]  # what takes long, how much of it is done, of how much

_LEARNED = "bpe:"
# A text of so many characters is turned into ids in a second or two of plain Python. Compiling kernels takes longer,
# the first time.
_LITTLE_TEXT = 1 << 21
_EXAMPLE = f"{_LEARNED}1024"


def check(spec: Any) -> None:
    """Refuse what can stand for no tokenizer; whether a file is there is seen when a run begins.

    Raises:
        ConfigError: it is no name and no path; the nearest name is told.

    Example:
        >>> check("bpe:1024")
        >>> check("gtp2")
        Traceback (most recent call last):
            ...
        tinyllm.errors.ConfigError: E-CONFIG tokenizer: there is no 'gtp2'. Try: gpt2
    """
    if not isinstance(spec, str):
        raise ConfigError(f"tokenizer is {spec!r}, not a text", hint=_all())
    if spec in ("bytes", "chars") or spec in list_encoding_names() or size(spec) or _is_path(spec):
        return
    close = nearest(spec, ["bytes", "chars", _EXAMPLE, *list_encoding_names()])
    raise ConfigError(f"tokenizer: there is no {spec!r}", hint=close or _all())


def size(spec: str) -> int:
    """Return how many tokens "bpe:N" asks for; 0 where something else is asked for.

    Raises:
        ConfigError: N is no number, or too small.
    """
    if not spec.startswith(_LEARNED) and spec != _LEARNED.rstrip(":"):
        return 0
    try:
        count = int(spec.removeprefix(_LEARNED))
    except ValueError:
        raise ConfigError(f"tokenizer: {spec!r} does not say how many tokens", hint=_EXAMPLE) from None
    if count < 256:
        raise ConfigError(
            f"tokenizer: {spec} is too small: a BPE begins with the 256 single bytes", hint=f"bytes, or {_EXAMPLE}"
        )
    return count


def make(spec: str, text: str, cut: int, told: Told | None = None) -> Tokenizer:
    """Make the tokenizer that a config asks for.

    Args:
        spec: as in TrainConfig.
        text: what the run learns from and is validated on; the characters of all of it make up "chars".
        cut: where validation begins, in characters. A BPE is learned from what stands before.
        told: is told how far the learning of a BPE is.

    Raises:
        ConfigError, DataError: there is no such tokenizer, or its file cannot be had or read.
    """
    if spec == "bytes":
        return ByteTokenizer()
    if spec == "chars":
        return CharTokenizer(text)
    if count := size(spec):
        from ..tokenizer.train import LITTLE_WORK, train_bpe

        little = cut * (count - 256) < LITTLE_WORK
        progress = None if little or told is None else _Stages(told)
        return train_bpe([text[:cut]], count, pattern="gpt2", name=spec, progress=progress)
    return load(spec)


def load(spec: str) -> Tokenizer:
    """Return a tokenizer that exists already: bytes, a named encoding, or the one in a file.

    Raises:
        ConfigError, DataError: there is no such tokenizer, or its file cannot be had or read.
    """
    if spec == "bytes":
        return ByteTokenizer()
    if spec in list_encoding_names():
        return get_encoding(spec)
    path = Path(spec).expanduser()
    if not path.exists():
        raise DataError(f"tokenizer: there is no file {spec}", hint=nearest(spec, list_encoding_names()) or _all())
    from ..tokenizer.files import load

    found = load(path)
    if not isinstance(found, (ByteTokenizer, CharTokenizer, Encoding)):
        raise ConfigError(
            f"tokenizer: {spec} is a {type(found).__name__}, and a run learns from bytes, characters or byte-level BPE",
            hint=_all(),
        )
    return found


def absolute(spec: str) -> str:
    """Return the same choice, a path as it is called from every folder."""
    named = spec in ("bytes", "chars") or spec in list_encoding_names() or size(spec)
    return spec if named else str(Path(spec).expanduser().resolve())


def ids_of(words: Tokenizer, text: str, told: Told | None = None) -> np.ndarray[Any, Any]:
    """Turn a text into ids in the smallest dtype that holds them; special tokens in it are plain text."""
    if not isinstance(words, Encoding):
        ids = words.encode_to_numpy(text)
    else:
        little = len(text) < _LITTLE_TEXT
        if told and not little:
            told("turning the text into tokens", 0, None)
        with _plain_python(little):
            ids = words.encode_to_numpy(text, disallowed_special=())
    return ids.astype(token_dtype(words.n_vocab), copy=False)


class _Stages:
    """Passes on how far ``train_bpe`` is."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self("count", 0, None)

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        what = {"count": "counting words, in bytes of text", "merge": "learning merges"}
        self.told(what.get(stage, stage), done, total)


def _plain_python(little: bool) -> AbstractContextManager[Any]:
    return kernels.use("numpy") if little else nullcontext()


def _is_path(spec: str) -> bool:
    path = Path(spec or "nothing").expanduser()
    return "/" in spec or os.sep in spec or bool(path.suffix) or path.exists()


def _all() -> str:
    return f"bytes, chars, {_EXAMPLE}, " + ", ".join(list_encoding_names()) + ", or the path of a vocabulary file"
