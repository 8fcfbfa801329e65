"""Bytes to text: which encoding a file is in, and whether it is text at all.

A byte order mark decides, then what the file itself declares (HTML does), then UTF-8 if it is valid. All that is left
is read as Windows-1252, or Latin-1 where that has no character, which takes any byte: a guess, and said to be one.
Line ends become a line feed.
"""

from __future__ import annotations

import codecs
import re
from typing import Any

from ...errors import DataError

_MARKS = [  # UTF-32's begin with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r\f\v\b\x1b"))
_CONTROLS_SHARE = 0.01  # text has next to none
_DECLARABLE = re.compile(  # a name is a stranger's word: "zip" and "unicode_escape" are codecs, too
    r"utf-8|ascii|iso8859-\d+|cp\d+|koi8-[ru]|mac-\w+|gb2312|gbk|gb18030|big5|big5hkscs|shift_jis|euc_jp|iso2022_jp|"
    r"euc_kr|tis-620"
)


def decoded(data: bytes, name: str, declared: str | None = None) -> tuple[str, dict[str, Any]]:
    r"""Return a file's text, and its encoding as a document's meta.

    Args:
        data: the file's bytes.
        name: what an error calls it.
        declared: the encoding that the file says it is in; not believed where it does not fit.

    Returns:
        The text, and {"encoding": ...}, with "encoding_guessed": True where nothing but the bytes themselves spoke for
        it.

    Raises:
        DataError: it is binary, or not in the encoding of its byte order mark.

    Example:
        >>> decoded("caf\u00e9\r\n".encode(), "a.txt"), decoded(b"caf\xe9", "b.txt")
        (('café\n', {'encoding': 'utf-8'}), ('café', {'encoding': 'cp1252', 'encoding_guessed': True}))
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                text = data[len(mark) :].decode(encoding)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{name}: begins as {encoding.upper()} does, but is not (byte {error.start:,})",
                    hint="save it as UTF-8",
                ) from None
            if "\0" in text:
                raise _binary(name)
            return _lines(text), {"encoding": encoding}
    if b"\0" in data or len(data) - len(data.translate(None, _CONTROLS)) > _CONTROLS_SHARE * len(data):
        raise _binary(name)
    for named in (_declarable(declared), "utf-8"):
        if named:
            try:
                return _lines(data.decode(named)), {"encoding": named}
            except UnicodeDecodeError:
                pass  # then it is another one
    try:
        text, encoding = data.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        text, encoding = data.decode("latin-1"), "latin-1"
    return _lines(text), {"encoding": encoding, "encoding_guessed": True}


def _binary(name: str) -> DataError:
    return DataError(f"{name}: is a binary file, not text", hint="a text file; one in UTF-16 needs its byte order mark")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _declarable(declared: str | None) -> str | None:
    """Return the codec of a declared name; "latin-1" and "ascii" mean Windows-1252 to every browser, so to us."""
    try:
        name = codecs.lookup(declared or "").name
    except (LookupError, ValueError, UnicodeError):
        return None
    if not _DECLARABLE.fullmatch(name):
        return None
    return "cp1252" if name in ("iso8859-1", "ascii") else name
