"""The form in which the collections of the seventies come: records of fields, each begun by a line with a dot.

    .I 471        a record and its number
    .T            the lines below are its title; .A author, .B where it appeared, .W its words, .X links to others

Files are read as latin-1, which takes any byte; line ends of either kind are fine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...errors import DataError

_RECORD = re.compile(r"\.I(?:\s+(\d+))?\s*")
_FIELD = re.compile(r"\.([A-Z])\s*")


def read_text(folder: Path, name: str, encoding: str = "latin-1") -> str:
    """Return a collection's file, or say that it is missing.

    Raises:
        DataError: no such file.
    """
    try:
        return (folder / name).read_text(encoding)
    except FileNotFoundError as error:
        raise DataError(f"{folder.name}: no file {name}", hint="the folder that holds the collection") from error


def records(text: str, last: str = "") -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Walk through the records: the number, and field letter -> its lines without blanks at their ends.

    A field that stands twice is read on. A record without a number ends the file: both files of Cranfield close so.

    Args:
        text: of the file.
        last: the letter of the field that closes a record, when it is known. A field that begins after it is a slip:
            its lines belong to the last one.

    Raises:
        DataError: lines before the first record, or outside of a field.

    Example:
        >>> list(records(".I 1\\n.T \\nOn wings\\n.W\\nA wing\\n lifts .\\n.I\\n"))
        [('1', {'T': ['On wings'], 'W': ['A wing', 'lifts .']})]
    """
    number: str | None = None
    fields: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for place, line in enumerate(text.splitlines(), start=1):
        begun, named = _RECORD.fullmatch(line), _FIELD.fullmatch(line)
        if begun:
            if number is not None:
                yield number, fields
            number, fields, lines = begun[1], {}, None
        elif named and number is not None:
            lines = fields.setdefault(last if last in fields else named[1], [])
        elif line.strip():
            if lines is None:
                raise DataError(f"line {place} is in no field: {line[:40]!r}", hint="a file of .I, .T and .W lines")
            lines.append(line.strip())
    if number is not None:
        yield number, fields
