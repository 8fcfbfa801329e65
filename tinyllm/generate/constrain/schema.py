r"""A JSON schema as a regular language: the JSON texts that it allows, properties in the order it names them.

Known are ``type`` (also a list), ``enum``, ``const``, ``anyOf``, ``oneOf`` (read as ``anyOf``), ``$ref`` to ``#/...``;
for objects ``properties`` and ``required``; for arrays ``items``, ``prefixItems``, ``minItems``, ``maxItems``; for
strings ``pattern``, ``minLength``, ``maxLength`` and ``format`` (date, time, date-time, uuid); titles and descriptions
say nothing. Anything else is refused by name, for a keyword that is passed over would be a promise broken.

An object has the named properties only, and a string with a pattern no sign that JSON would have to escape. JSON that
holds itself (a ``$ref`` in a circle) is no regular language. Between its signs there may be one space, or none.

Source: JSON Schema, draft 2020-12; RFC 8259 (JSON).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError, nearest
from .pattern import pattern
from .regular import EMPTY, NOTHING, Language, both, cat, either, literal, many

SPACE = either(EMPTY, literal(" "))
PLAIN = pattern(r'[^"\\\x00-\x1f]*')  # what stands for itself in a JSON string
CHARACTER = pattern(r'[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}')
INTEGER = r"-?(0|[1-9]\d*)"
SIMPLE = {
    "integer": pattern(INTEGER),
    "number": pattern(INTEGER + r"(\.\d+)?([eE][+-]?\d+)?"),
    "boolean": either(literal("true"), literal("false")),
    "null": literal("null"),
}
DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
HEX = "[0-9a-f]"
FORMATS = {
    "date": DATE,
    "time": TIME,
    "date-time": f"{DATE}T{TIME}",
    "uuid": f"{HEX}{{8}}(-{HEX}{{4}}){{3}}-{HEX}{{12}}",
}
SILENT = {"title", "description", "default", "examples", "$schema", "$id", "$comment", "$defs", "definitions"}
KNOWN = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "prefixItems", "minItems", "maxItems"},
    "string": {"pattern", "minLength", "maxLength", "format"},
    **{name: set() for name in SIMPLE},
}


def schema_language(schema: Mapping[str, Any]) -> Language:
    """Return the JSON texts that a schema allows.

    Raises:
        ConfigError: it is no schema, uses a keyword that is not known here, or refers to itself.

    Example:
        >>> from .regular import accepts
        >>> wanted = schema_language({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
        >>> accepts(wanted, '{"n": 12}'), accepts(wanted, '{"n": 1.5}'), accepts(wanted, "{}")
        (True, False, False)
    """
    return _of(schema, schema, ())


def _of(schema: Any, root: Mapping[str, Any], within: tuple[str, ...]) -> Language:
    if not isinstance(schema, Mapping):
        raise ConfigError(f"schema: {json.dumps(schema, default=str)} is no object", hint='such as {"type": "string"}')
    if "$ref" in schema:
        _refuse(schema, {"$ref"})
        return _of(*_referred(str(schema["$ref"]), root, within))
    for word in ("enum", "const"):
        if word in schema:
            _refuse(schema, {word, "type"})
            values = schema[word] if word == "enum" else [schema[word]]
            return either(*(literal(json.dumps(value, ensure_ascii=False)) for value in values))
    for word in ("anyOf", "oneOf"):
        if word in schema:
            _refuse(schema, {word})
            return either(*(_of(part, root, within) for part in schema[word]))
    if "type" not in schema:
        raise ConfigError(f"schema: {json.dumps(dict(schema), default=str)[:60]} has no type", hint='"type": "string"')
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    for name in types:
        if name not in KNOWN:
            raise ConfigError(f"schema: there is no type {name!r}", hint=nearest(str(name), KNOWN) or ", ".join(KNOWN))
    _refuse(schema, {"type"}.union(*(KNOWN[name] for name in types)))
    return either(*(_of_type(name, schema, root, within) for name in types))


def _of_type(name: str, schema: Mapping[str, Any], root: Mapping[str, Any], within: tuple[str, ...]) -> Language:
    if name == "object":
        return _object(schema, root, within)
    if name == "array":
        return _array(schema, root, within)
    return _string(schema) if name == "string" else SIMPLE[name]


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], within: tuple[str, ...]) -> Language:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if schema.get("additionalProperties", False) not in (False, True):
        raise ConfigError("schema: additionalProperties is a schema", hint="name them under properties")
    missing = [name for name in required if name not in properties]
    if missing:
        raise ConfigError(f"schema: required is {missing[0]!r}, which is no property", hint="add it to properties")
    comma = cat(literal(","), SPACE)
    # what may come from a property on: when nothing has come yet, and when something has, and a comma is due
    first, after = EMPTY, EMPTY
    for name, part in reversed(properties.items()):
        value = _of(part, root, within)
        entry = cat(literal(json.dumps(name, ensure_ascii=False) + ":"), SPACE, value)
        skip = NOTHING if name in required else EMPTY
        first = either(cat(entry, after), cat(skip, first))
        after = either(cat(comma, entry, after), cat(skip, after))
    return cat(literal("{"), first, literal("}"))


def _array(schema: Mapping[str, Any], root: Mapping[str, Any], within: tuple[str, ...]) -> Language:
    comma = cat(literal(","), SPACE)
    front = [_of(part, root, within) for part in schema.get("prefixItems", [])]
    least, most = _bounds(schema, "minItems", "maxItems")
    items = schema.get("items", False if front else None)
    if items is None:
        raise ConfigError("schema: an array has no items", hint='"items": {"type": "string"}')
    if front:
        if items is not False or "minItems" in schema or "maxItems" in schema:
            raise ConfigError("schema: prefixItems beside items or a count", hint="prefixItems alone: exactly those")
        inside = front[0]
        for part in front[1:]:
            inside = cat(inside, comma, part)
        return cat(literal("["), inside, literal("]"))
    value = _of(items, root, within)
    some: Language = NOTHING
    if most != 0:
        some = cat(value, many(cat(comma, value), max(least - 1, 0), None if most is None else most - 1))
    return cat(literal("["), either(some, NOTHING if least else EMPTY), literal("]"))


def _string(schema: Mapping[str, Any]) -> Language:
    counted = "minLength" in schema or "maxLength" in schema
    if "format" in schema and schema["format"] not in FORMATS:
        raise ConfigError(f"schema: there is no format {schema['format']!r}", hint=", ".join(FORMATS))
    given = [word for word in ("pattern", "format") if word in schema]
    if len(given) + counted > 1:
        raise ConfigError(f"schema: {given[0]} beside another limit of a string", hint="one of them")
    if given:
        inside = pattern(FORMATS[schema["format"]] if given == ["format"] else schema["pattern"])
        return cat(literal('"'), both(inside, PLAIN), literal('"'))
    return cat(literal('"'), many(CHARACTER, *_bounds(schema, "minLength", "maxLength")), literal('"'))


def _bounds(schema: Mapping[str, Any], low: str, high: str) -> tuple[int, int | None]:
    least, most = schema.get(low, 0), schema.get(high)
    for name, value in ((low, least), (high, most)):
        if value is not None and (type(value) is not int or value < 0):
            raise ConfigError(f"schema: {name} is {value!r}", hint="a whole number, 0 or more")
    if most is not None and most < least:
        raise ConfigError(f"schema: {low} is {least}, and {high} {most}", hint=f"{high} of {least} or more")
    return least, most


def _referred(path: str, root: Mapping[str, Any], within: tuple[str, ...]) -> tuple[Any, Any, tuple[str, ...]]:
    if path in within:
        raise ConfigError(f"schema: {path} holds itself", hint="write it out, as deep as it is needed")
    found: Any = root
    for word in path.removeprefix("#").strip("/").split("/"):
        if not path.startswith("#/") or not isinstance(found, Mapping) or word not in found:
            raise ConfigError(f"schema: $ref {path!r} leads nowhere", hint='"#/$defs/NAME"')
        found = found[word]
    return found, root, (*within, path)


def _refuse(schema: Mapping[str, Any], known: set[str]) -> None:
    for word in schema:
        if word not in known | SILENT:
            hint = nearest(word, known) or "leave it out, and check what comes of it afterwards"
            raise ConfigError(f"schema: {word} cannot be kept to here", hint=hint)
