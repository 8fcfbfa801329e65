"""Filters, ``where={"doc_id": "a", "language": ["en", "de"]}``: every key must have its value, or one of several.

The key "doc_id" is the chunk's own, every other one is looked up in its meta. Values are compared as JSON does: numbers
by value, true is not 1, and null is only found where null was written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ConfigError, DataError

Value = str | int | float | bool | None
Conditions = dict[str, list[Value]]
OWN = "doc_id"


def checked_where(where: Mapping[str, Any] | None) -> Conditions:
    """Return every key with the list of values that it may have.

    Raises:
        ConfigError: a key is no text, or a value is neither a JSON scalar nor a list of them.

    Example:
        >>> checked_where({"doc_id": "a", "year": [1958, 1959]})
        {'doc_id': ['a'], 'year': [1958, 1959]}
    """
    if where is not None and not isinstance(where, Mapping):
        raise ConfigError(f"where: a {type(where).__name__}", hint='a dict such as {"doc_id": "a"}')
    found: Conditions = {}
    for key, value in (where or {}).items():
        values = list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
        if not isinstance(key, str) or not all(_comparable(v) for v in values):
            raise ConfigError(f"where: {key!r}: {value!r}", hint="a text, number, bool or None, or a list of those")
        found[key] = values
    return found


def _comparable(value: Any) -> bool:
    if isinstance(value, float):
        return abs(value) < float("inf")
    if isinstance(value, int):
        return -(2**63) <= value < 2**63  # what every database can take
    return value is None or (isinstance(value, str) and storable(value))


def matches(doc_id: str, meta: Mapping[str, Any], conditions: Conditions) -> bool:
    """Tell whether a chunk meets all conditions.

    Example:
        >>> matches("a", {"year": 1958}, {"year": [1958, 1959]}), matches("a", {}, {"year": [None]})
        (True, False)
    """
    for key, values in conditions.items():
        if key != OWN and key not in meta:
            return False
        held = doc_id if key == OWN else meta[key]
        if not any(_same(held, value) for value in values):
            return False
    return True


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def checked_meta(meta: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None, n: int) -> list[dict[str, Any]]:
    """Return one dict of plain JSON for each of n chunks.

    Raises:
        DataError: it is no JSON, holds NUL, has the key "doc_id", or there is not one for each chunk.

    Example:
        >>> checked_meta({"year": 1958, "tags": ("a", "b")}, 1)
        [{'year': 1958, 'tags': ['a', 'b']}]
    """
    if meta is None or isinstance(meta, Mapping):
        return [dict(each) for each in [_plain(meta)] * n]
    if len(meta) != n:
        raise DataError(f"upsert: {len(meta)} metas for {n} chunks", hint="one for each, or one for all")
    return [_plain(each) for each in meta]


def _plain(meta: Mapping[str, Any] | None) -> dict[str, Any]:
    if not meta:
        return {}
    try:
        text = json.dumps(dict(meta), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"upsert: meta is no JSON: {error}", hint="texts, finite numbers, lists, dicts") from error
    if "\\u0000" in text.replace("\\\\", "") or not storable(text) or OWN in meta:
        raise DataError(f"upsert: meta {text[:80]} has the key {OWN!r}, a NUL or half a character")
    plain: dict[str, Any] = json.loads(text)
    return plain


def storable(text: str) -> bool:
    r"""Tell whether every database can hold a text: no NUL, no half of a surrogate pair.

    Example:
        >>> storable("naïve"), storable("a\0b"), storable("\ud800")
        (True, False, False)
    """
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
