"""Whether a value follows a JSON Schema: every way in which it does not, each with the place where it does not.

Known are ``type`` (also a list), ``enum``, ``const``, ``anyOf``, ``oneOf``, ``allOf``, ``not``, ``$ref`` to ``#/...``;
for objects ``properties``, ``required``, ``additionalProperties``, ``minProperties``, ``maxProperties``; for arrays
``items``, ``prefixItems``, ``minItems``, ``maxItems``, ``uniqueItems``; for strings ``pattern``, ``minLength``,
``maxLength``, ``format`` (date, time, date-time, uuid); for numbers ``minimum``, ``maximum``, ``exclusiveMinimum``,
``exclusiveMaximum``, ``multipleOf``. Titles and descriptions say nothing. Any other keyword is refused by name: one
that is passed over would be a promise broken.

Values are JSON's: True is no number, 1.0 is an integer and equal to 1. Nothing is converted and nothing repaired.

Source: JSON Schema, draft 2020-12.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from ..errors import ConfigError, nearest
from .errors import SchemaError

DEEPEST = 128  # levels of a schema
TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: _is_number(value),
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
SILENT = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
SILENT |= {"$schema", "$id", "$comment", "$defs", "definitions"}
Wrong = tuple[str, str]  # a place, and what is wrong there


def validate(value: Any, schema: Mapping[str, Any] | bool) -> None:
    """Check that a value follows a schema.

    Raises:
        SchemaError: it does not; the message names the first places where, ``path`` the very first.
        ConfigError: the schema is none, or uses a keyword that is not known here.

    Example:
        >>> wanted = {"type": "object", "properties": {"days": {"type": "array", "items": {"type": "integer"}}}}
        >>> validate({"days": [1, 2]}, wanted)
        >>> validate({"days": [1, "two"]}, wanted)
        Traceback (most recent call last):
            ...
        tinyllm.client.errors.SchemaError: E-SCHEMA $.days[1] is "two", which is no integer
    """
    wrong = faults(value, schema)
    if wrong:
        told = "; ".join(f"{path} {what}" for path, what in wrong[:3])
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise SchemaError(told + more, path=wrong[0][0])


def faults(value: Any, schema: Mapping[str, Any] | bool) -> list[Wrong]:
    """Return all places where a value does not follow a schema, such as "$.days[2].high", and what is wrong there.

    Raises:
        ConfigError: the schema is none, or uses a keyword that is not known here.

    Example:
        >>> faults({"a": 1, "b": None}, {"properties": {"a": {"minimum": 2}}, "additionalProperties": False})
        [('$.a', 'is 1, less than 2'), ('$.b', 'is not one of the properties, which are a')]
    """
    check_schema(schema)
    try:
        return list(_faults(value, schema, schema, "$", ()))
    except RecursionError:
        return [("$", "is nested too deeply to be checked")]


def check_schema(schema: Any, where: str = "schema", depth: int = 0) -> None:
    """Check that everything in a schema is known here, whether or not a value will come to it.

    Raises:
        ConfigError: the first thing that is not, by name.
    """
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise ConfigError(f"{where}: {_shown(schema)} is no schema", hint='such as {"type": "string"}')
    if depth > DEEPEST:
        raise ConfigError(f"{where}: deeper than {DEEPEST} levels", hint="a schema that is flatter")
    for word, given in schema.items():
        place = f"{where}.{word}"
        if word in SILENT:
            parts = given.values() if word in ("$defs", "definitions") and isinstance(given, Mapping) else ()
        elif word not in SHAPES:
            raise ConfigError(f"{where}: {word} is not checked here", hint=nearest(str(word), SHAPES) or "leave it out")
        else:
            if not SHAPES[word](given):
                raise ConfigError(f"{place} is {_shown(given)}", hint="see JSON Schema, draft 2020-12")
            parts = _parts(word, given)
        for part in parts:
            check_schema(part, place, depth + 1)


def _parts(word: str, given: Any) -> Any:
    """Return the schemas in a keyword's value."""
    if word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        return given
    if word == "properties":
        return given.values()
    return [given] if word in ("items", "additionalProperties", "not") else ()


def _faults(value: Any, schema: Any, root: Any, path: str, within: tuple[str, ...]) -> Iterator[Wrong]:
    if schema is True or schema == {}:
        return
    if schema is False:
        yield path, "is there, and nothing may be"
        return
    if "$ref" in schema:
        place = schema["$ref"]
        if place in within:
            raise ConfigError(f"schema: {place} refers to itself", hint="a property or an item between them")
        yield from _faults(value, _referred(place, root), root, path, (*within, place))
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(TYPES[name](value) for name in types):
            yield path, f"is {_shown(value)}, which is no {' or '.join(types)}"
            return
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        yield path, f"is {_shown(value)}, which is not one of {', '.join(map(_shown, schema['enum']))}"
    if "const" in schema and not _same(value, schema["const"]):
        yield path, f"is {_shown(value)}, and has to be {_shown(schema['const'])}"
    yield from _combined(value, schema, root, path, within)
    if isinstance(value, dict):
        yield from _object(value, schema, root, path)
    elif isinstance(value, list):
        yield from _array(value, schema, root, path)
    elif isinstance(value, str):
        yield from _string(value, schema, path)
    elif _is_number(value):
        yield from _number(value, schema, path)


def _combined(value: Any, schema: Any, root: Any, path: str, within: tuple[str, ...]) -> Iterator[Wrong]:
    for part in schema.get("allOf", ()):
        yield from _faults(value, part, root, path, within)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            found = [list(_faults(value, part, root, path, within)) for part in schema[word]]
            fitting = sum(not wrong for wrong in found)
            if not fitting:  # the part that came furthest is most likely the one that was meant
                yield max((wrong[0] for wrong in found), key=lambda one: len(one[0]))
            elif word == "oneOf" and fitting > 1:
                yield path, f"follows {fitting} schemas of oneOf, and should follow one"
    if "not" in schema and not any(_faults(value, schema["not"], root, path, within)):
        yield path, f"is {_shown(value)}, which the schema rules out"


def _object(value: dict[str, Any], schema: Any, root: Any, path: str) -> Iterator[Wrong]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield path + _step(name), "is missing"
    for name, part in value.items():
        if name in properties:
            yield from _faults(part, properties[name], root, path + _step(name), ())
        elif "additionalProperties" in schema:
            more = schema["additionalProperties"]
            if more is False:
                hint = f", which are {', '.join(properties)}" if properties else ""
                yield path + _step(name), f"is not one of the properties{hint}"
            else:
                yield from _faults(part, more, root, path + _step(name), ())
    yield from _counted(len(value), schema, "minProperties", "maxProperties", path, "properties")


def _array(value: list[Any], schema: Any, root: Any, path: str) -> Iterator[Wrong]:
    front = schema.get("prefixItems", ())
    for i, part in enumerate(value):
        kind = front[i] if i < len(front) else schema.get("items", True)
        yield from _faults(part, kind, root, f"{path}[{i}]", ())
    yield from _counted(len(value), schema, "minItems", "maxItems", path, "items")
    if schema.get("uniqueItems"):
        seen = set()
        for i, part in enumerate(value):
            if (known := _hashable(part)) in seen:
                yield f"{path}[{i}]", f"is {_shown(part)} once more"
                break
            seen.add(known)


def _string(value: str, schema: Any, path: str) -> Iterator[Wrong]:
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield path, f"is {_shown(value)}, which does not match {schema['pattern']}"
    if "format" in schema and not FORMATS[schema["format"]](value):
        yield path, f"is {_shown(value)}, which is no {schema['format']}"
    yield from _counted(len(value), schema, "minLength", "maxLength", path, "characters")


def _number(value: int | float, schema: Any, path: str) -> Iterator[Wrong]:
    checks: tuple[tuple[str, Callable[[Any, Any], bool], str], ...] = (
        ("minimum", lambda a, b: a >= b, "less than"),
        ("maximum", lambda a, b: a <= b, "more than"),
        ("exclusiveMinimum", lambda a, b: a > b, "not more than"),
        ("exclusiveMaximum", lambda a, b: a < b, "not less than"),
        ("multipleOf", _is_multiple, "no multiple of"),
    )
    for word, holds, told in checks:
        if word in schema and not holds(value, schema[word]):
            yield path, f"is {_shown(value)}, {told} {_shown(schema[word])}"


def _counted(n: int, schema: Any, low: str, high: str, path: str, what: str) -> Iterator[Wrong]:
    if n < schema.get(low, 0):
        yield path, f"has {n} {what}, and needs {_shown(schema[low])}"
    if high in schema and n > schema[high]:
        yield path, f"has {n} {what}, and may have {_shown(schema[high])}"


def _referred(place: str, root: Any) -> Any:
    found = root
    if place != "#" and not place.startswith("#/"):
        raise ConfigError(f"schema: $ref {place!r} leads nowhere", hint='"#/$defs/NAME"')
    for word in place.split("/")[1:]:
        word = word.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or word not in found:
            raise ConfigError(f"schema: $ref {place!r} leads nowhere", hint='"#/$defs/NAME"')
        found = found[word]
    check_schema(found, place)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_multiple(value: int | float, step: int | float) -> bool:
    # as written in decimal: 0.3 is three times 0.1, though not in binary
    return (Fraction(str(value)) / Fraction(str(step))).denominator == 1


def _same(one: Any, two: Any) -> bool:
    """Tell whether two values are equal in JSON: True is not 1, but 1.0 is."""
    return bool(_hashable(one) == _hashable(two))


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return "object", frozenset((name, _hashable(part)) for name, part in value.items())
    if isinstance(value, list):
        return "array", tuple(map(_hashable, value))
    return ("boolean", value) if isinstance(value, bool) else ("plain", value)


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):
        text = repr(type(value))
    return text if len(text) <= 60 else text[:57] + "..."


def _step(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]"


def _reads(read: Callable[[str], Any], shape: str) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        try:
            return bool(re.fullmatch(shape, text, re.ASCII)) and read(text) is not None
        except ValueError:
            return False

    return holds


_DAY, _CLOCK = r"\d{4}-\d\d-\d\d", r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
FORMATS = {
    "date": _reads(date.fromisoformat, _DAY),
    "time": _reads(str, _CLOCK),
    "date-time": _reads(lambda text: datetime.fromisoformat(text[:10]), f"{_DAY}T{_CLOCK}"),
    "uuid": _reads(str, "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and (isinstance(value, int) or value.is_integer())


def _is_pattern(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value)


def _always(value: Any) -> bool:
    return True


# a keyword -> what its own value has to be
SHAPES: dict[str, Callable[[Any], bool]] = {
    "type": lambda value: all(isinstance(one, str) and one in TYPES for one in (value if _is_list(value) else [value])),
    "enum": lambda value: isinstance(value, list | tuple),
    "const": _always,
    "$ref": lambda value: isinstance(value, str),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), _is_list),
    **dict.fromkeys(("not", "items", "additionalProperties"), _always),
    "properties": lambda value: isinstance(value, Mapping),
    "required": lambda value: isinstance(value, list | tuple) and all(isinstance(one, str) for one in value),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"), _is_count),
    "uniqueItems": lambda value: isinstance(value, bool),
    "pattern": _is_pattern,
    "format": lambda value: isinstance(value, str) and value in FORMATS,
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
    "multipleOf": lambda value: _is_number(value) and value > 0,
}
