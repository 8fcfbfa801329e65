"""What others wrote, taken with care: every damage is one DataError that names the file and the place.

Nothing is believed: a file may be cut short, altered, huge, or something else altogether.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from ...errors import DataError
from ..split import Pattern

T = TypeVar("T")

MOST_BYTES = 1 << 28  # no vocabulary comes near; what is larger has been named by mistake
_AGAIN = "get the file again, whole and unchanged"
_WORDS = {
    dict: "an object", list: "a list", str: "a string", int: "a whole number", bool: "true or false", float: "a number",
    type(None): "null",
}  # fmt: skip


@dataclass(frozen=True)
class Given:
    """What the caller of ``load`` knows and a file may not say; None for what is left to the file.

    Attributes:
        pattern: how text is cut.
        special_tokens: string -> id.
        name: what the encoding is to be called.
    """

    pattern: Pattern | None = None
    special_tokens: Mapping[str, int] | None = None
    name: str | None = None


@dataclass(frozen=True)
class Source:
    """A file that has been read, and what can be seen in it.

    Attributes:
        path: where it was.
        data: its bytes.
    """

    path: Path
    data: bytes

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read a file.

        Raises:
            DataError: it is not there, is no file, cannot be read, is empty, or is far too large.
        """
        try:
            if path.is_dir():
                raise DataError(f"{path}: is a folder, not a file")
            if not path.is_file():
                raise DataError(f"{path}: there is no such file", hint="the path of a tokenizer's file or folder")
            if (size := path.stat().st_size) > MOST_BYTES:
                raise DataError(f"{path}: has {size:,} bytes, and no tokenizer has more than {MOST_BYTES:,}")
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
        if not data.strip():
            raise DataError(f"{path}: is empty", hint=_AGAIN)
        return cls(path, data)

    @property
    def where(self) -> str:
        """What an error begins with."""
        return str(self.path)

    @cached_property
    def text(self) -> str:
        """The file as UTF-8.

        Raises:
            DataError: it is not UTF-8.
        """
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.data.count(b"\n", 0, error.start) + 1
            raise DataError(f"{self.where}: line {line}: byte {error.start} is not UTF-8", hint=_AGAIN) from None

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the file without their ends; empty ones at its end are left out."""
        return [line.removesuffix("\r") for line in self.text.rstrip("\r\n").split("\n")]

    @cached_property
    def json(self) -> dict[str, Any]:
        """The file as a JSON object.

        Raises:
            DataError: it is not JSON, is no object, or names a key twice.
        """
        try:
            value = json.loads(self.text, object_pairs_hook=_each_once, parse_constant=_no_number)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{self.where}: line {error.lineno}: is not JSON ({error.msg.lower()})", hint=_AGAIN
            ) from None
        except RecursionError:
            raise DataError(f"{self.where}: is JSON nested too deeply", hint=_AGAIN) from None
        except ValueError as error:  # a key that is there twice, NaN, a number of more digits than Python reads
            raise DataError(f"{self.where}: {str(error).split(';')[0]}", hint=_AGAIN) from None
        if type(value) is not dict:
            raise DataError(f"{self.where}: is {_WORDS[type(value)]}, expected an object", hint=_AGAIN)
        return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def field(saved: Mapping[str, Any], key: str, kind: type[T], where: str, default: Any = ...) -> T:
    """Return what is under a key, if it is of the kind expected.

    Args:
        saved: an object of JSON.
        key: of the field.
        kind: dict, list, str, int or bool.
        where: what an error begins with.
        default: of a field that is missing or null; without it, such a field is an error.

    Raises:
        DataError: the field is missing, or of another kind.

    Example:
        >>> field({"version": 1}, "version", int, "toy.json"), field({}, "tie", str, "toy.json", default="ids")
        (1, 'ids')
    """
    value = saved.get(key)
    if value is None and default is not ...:
        return default
    if key not in saved:
        raise DataError(f"{where}: has no {key!r}", hint=_AGAIN)
    if type(value) is not kind:
        raise DataError(
            f"{where}: {key}: is {_WORDS.get(type(value), type(value).__name__)}, expected {_WORDS[kind]}", hint=_AGAIN
        )
    return value
