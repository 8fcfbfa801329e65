"""Vocabularies in files: our own format and those of other tools, each re-read by its owner with equal ids.

    from tinyllm.tokenizer.files import load, save

    encoding = load("gpt2/tokenizer.json")
    save(encoding, "mine.tiktoken")

What a file is, is told by its content. Nothing is overwritten unless that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic import cannot_write, write_atomically
from ...errors import ConfigError, DataError, TinyLLMError, nearest
from ..encoding import Encoding
from ..split import Pattern, find_pattern
from . import bert, gguf, gpt2, huggingface, minbpe, own, tiktoken
from .assembling import MOST_IDS, check_specials
from .others import llama2c, wordpiece
from .reading import Given, Source
from .recognizing import recognize

if TYPE_CHECKING:
    from .. import Tokenizer

__all__ = ["FORMATS", "Format", "find", "gguf", "load", "save"]


@dataclass(frozen=True)
class Format:
    """A way to put a vocabulary into files.

    Attributes:
        name: what it is asked for by.
        about: whose it is, and what it holds.
        read: makes the tokenizer of a file.
        write: returns what is to be written where; None for a format that is only read.
    """

    name: str
    about: str
    read: Callable[[Source, Given], Tokenizer]
    write: Callable[[Encoding, Path], dict[Path, bytes]] | None = None


FORMATS = {
    format.name: format
    for format in (
        Format("tinyllm", "our own: one .json with all there is", own.read, own.write),
        Format("tiktoken", "OpenAI's: tokens and ranks only", tiktoken.read, tiktoken.write),
        Format("gpt2", "GPT-2's: vocab.json with merges.txt", gpt2.read, gpt2.write),
        Format("huggingface", "tokenizer.json of tokenizers and transformers", huggingface.read, huggingface.write),
        Format("minbpe", "minbpe's .model", minbpe.read),
        Format("wordpiece", "BERT's vocab.txt", wordpiece),
        Format("bert", "tokenizer.json of BERT's kin", bert.read),
        Format("llama2c", "llama2.c's tokenizer.bin", llama2c),
    )
}
# what to look for in a folder, in this order
_IN_FOLDERS = (
    "vocab.txt", "tokenizer.json", "vocab.json", "encoder.json", "*.tiktoken", "tokenizer.model", "tokenizer.bin",
    "*.model",
)  # fmt: skip


def load(
    path: str | Path,
    *,
    pattern: str | re.Pattern[str] | Pattern | None = None,
    special_tokens: Mapping[str, int] | None = None,
    name: str | None = None,
) -> Tokenizer:
    """Read a tokenizer from a file, or from a folder that holds one, in any format of FORMATS.

    Args:
        path: of the file or folder.
        pattern: how text is cut, where the file does not say (.tiktoken), or says what is not known here.
        special_tokens: string -> id, instead of those in the file.
        name: what the encoding is to be called; by default as in the file, or after it.

    Returns:
        An Encoding; for a vocab.txt or a tokenizer.json of BERT a WordPiece, for llama2.c's files a ScoredBPE.

    Raises:
        DataError: there is no such file, it is damaged, or it is of a kind that is not read; it is said which.
        ConfigError: the pattern is needed and was not given, or is none.
    """
    path = Path(path).expanduser()
    given = Given(None if pattern is None else find_pattern(pattern), special_tokens, name)
    if special_tokens is not None:
        try:
            check_specials(special_tokens, "special_tokens")
        except DataError as error:
            raise ConfigError(error.message, hint=error.hint) from None
    source = Source.read(_file_in(path) if path.is_dir() else path)
    return FORMATS[recognize(source)].read(source, given)


def save(encoding: Encoding, path: str | Path, format: str | None = None, *, overwrite: bool = False) -> Path:
    """Write an encoding in a format of FORMATS, so that its owner gives the ids that the encoding gives.

    Args:
        encoding: what to write.
        path: of a file; for "gpt2" and "huggingface", which are two files, a folder, which is made.
        format: its name; by default the one that the ending of the path says.
        overwrite: replace files of the same format. Without it, files that hold something else are an error.

    Returns:
        The path.

    Raises:
        ConfigError: the format cannot be told or written, cannot say all that the encoding does, or there is a file.
        CheckpointError: the file system refuses.
    """
    path = Path(path).expanduser()
    name = format or _format_of(path)
    if name not in FORMATS:
        raise ConfigError(f"there is no format {name!r}", hint=nearest(name, FORMATS) or "one of " + _written())
    write = FORMATS[name].write
    if write is None:
        raise ConfigError(f"{name}: is only read", hint="one of " + _written())
    if encoding.n_vocab > MOST_IDS:
        raise ConfigError(f"{encoding.name}: has ids up to {encoding.n_vocab - 1:,}", hint=f"ids below {MOST_IDS:,}")
    files = write(encoding, path)
    for target, data in files.items():
        _check_free(target, data, name, overwrite)
    for target, data in files.items():
        if target.parent == path:
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot_write(path, error) from error
        write_atomically(target, lambda file, data=data: file.write(data))  # type: ignore[misc]
    return path


def find(folder: str | Path) -> Path | None:
    """Find the file in a folder by which the tokenizer is opened; None where there is none.

    Raises:
        ConfigError: the folder holds several.
    """
    folder = Path(folder)
    for wanted in _IN_FOLDERS:
        found = sorted(path for path in folder.glob(wanted) if path.is_file())
        if len(found) > 1:
            raise ConfigError(
                f"{folder}: holds several tokenizers: {', '.join(path.name for path in found)}",
                hint=f"load({str(found[0])!r})",
            )
        if found:
            return found[0]
    return None


def _file_in(folder: Path) -> Path:
    if (found := find(folder)) is not None:
        return found
    raise DataError(f"{folder}: no tokenizer is in this folder", hint="one that holds " + ", ".join(_IN_FOLDERS[:4]))


def _format_of(path: Path) -> str:
    if gpt2.both(path):
        return "gpt2"
    if path.suffix == ".tiktoken":
        return "tiktoken"
    if path.suffix == ".json" and path.name != huggingface.FILE:
        return "tinyllm"
    why = "is the name of two formats" if path.name == huggingface.FILE else "does not say which format"
    raise ConfigError(f"{path}: {why}", hint="format= one of " + _written())


def _written() -> str:
    return ", ".join(name for name, format in FORMATS.items() if format.write)


def _check_free(target: Path, data: bytes, format: str, overwrite: bool) -> None:
    """Refuse to replace what somebody may still need."""
    if target.is_dir():
        raise ConfigError(f"{target}: is a folder", hint="the name of a file in it")
    if not target.exists():
        return
    try:
        source = Source.read(target)
        if source.data == data:
            return
        if target.name == huggingface.CONFIG:
            same = set(source.json) <= {"tokenizer_class", "clean_up_tokenization_spaces", "eos_token"}
        else:
            same = recognize(source) == format and (format != "tinyllm" or source.json["kind"] == "bpe")
    except TinyLLMError:
        same = False
    if not overwrite or not same:
        raise ConfigError(
            f"{target}: is there already and holds {'another vocabulary' if same else 'something else'}",
            hint="another name, or overwrite=True" if same else "another name, or move it away",
        )
