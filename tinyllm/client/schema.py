"""A function as a tool: its type hints become JSON Schema, its docstring the description; arguments come back typed.

    def weather(city: str, days: int = 1) -> str:        {"type": "object",
        \"""Say what the weather will be.                   "properties": {"city": {"type": "string",
                                                                          "description": "such as Oslo"},
        Args:                                                            "days": {"type": "integer", "default": 1}},
            city: such as Oslo                            "required": ["city"], "additionalProperties": false}
        \"""

Hints that are understood: str, int, float, bool, None, Any, Literal, Enum, date, datetime, UUID, unions, list, set,
tuple, Sequence, dict and Mapping with names of type str, dataclasses, TypedDict, and Annotated with a text, which is
the description. Anything else is refused with the parameter's name: a model should not have to guess.
"""

from __future__ import annotations

import collections.abc as abc
import dataclasses
import enum
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ..errors import ConfigError, TinyLLMError
from .errors import SchemaError
from .types import Tool, ToolCall
from .validate import faults, validate

SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    Any: {},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    UUID: {"type": "string", "format": "uuid"},
    dict: {"type": "object"},
    list: {"type": "array"},
}
LISTS = (list, set, frozenset, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection, abc.Set)
READERS: dict[Any, Callable[[str], Any]] = {date: date.fromisoformat, datetime: datetime.fromisoformat, UUID: UUID}
_ENTRY = re.compile(r"(\*{0,2}\w+(?:, *\w+)*)(?: *\([^)]*\))?: *(.*)")
_HEAD = re.compile(r"(args|arguments|parameters)\s*:\s*$", re.IGNORECASE)


def tool_of(function: Callable[..., Any], name: str | None = None, description: str | None = None) -> Tool:
    """Return a function as a tool that a model may call.

    Args:
        function: with a type hint for every parameter; the parts of its docstring are as Google has them.
        name: of the tool, the function's own by default.
        description: what it does, the docstring's text before its first section by default.

    Raises:
        ConfigError: a parameter has no hint, or one that JSON cannot express, or cannot be given by its name.

    Example:
        >>> def weather(city: str, days: int = 1) -> str:
        ...     '''Say what the weather will be.
        ...
        ...     Args:
        ...         city: such as Oslo
        ...     '''
        >>> tool = tool_of(weather)
        >>> tool.description, tool.parameters["required"], tool.parameters["properties"]["city"]
        ('Say what the weather will be.', ['city'], {'type': 'string', 'description': 'such as Oslo'})
    """
    said, about = _docstring(inspect.getdoc(function) or "")
    hints = _hints(function)
    properties: dict[str, Any] = {}
    required = []
    for parameter in inspect.signature(function).parameters.values():
        where = f"{getattr(function, '__name__', function)}({parameter.name})"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ConfigError(f"{where} cannot be given by its name", hint="parameters that can: no *args, no **kwargs")
        if parameter.name not in hints:
            raise ConfigError(f"{where} has no type hint", hint=f"{parameter.name}: str")
        made = schema_of(hints[parameter.name], where)
        if parameter.name in about:
            made.setdefault("description", about[parameter.name])
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        else:
            _add_default(made, parameter.default)
        properties[parameter.name] = made
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    own = getattr(function, "__name__", type(function).__name__)
    return Tool(name or own, said if description is None else description, parameters, function)


def schema_of(hint: Any, where: str = "schema_of") -> dict[str, Any]:
    """Return the JSON Schema of a type hint.

    Raises:
        ConfigError: JSON cannot express it.

    Example:
        >>> schema_of(list[int] | None)
        {'anyOf': [{'type': 'array', 'items': {'type': 'integer'}}, {'type': 'null'}]}
    """
    return _schema(hint, where, ())


def invoke(tool: Tool, call: ToolCall) -> Any:
    """Call a tool's function as a model wants it called, with arguments that were checked before.

    Raises:
        SchemaError: the arguments are no JSON, or do not follow the tool's parameters; the text is fit for the model.
        ConfigError: the tool has no function.
        Exception: the function's own.

    Example:
        >>> invoke(tool_of(lambda: 7, "seven"), ToolCall("call_0", "seven", ""))
        7
    """
    values = arguments(tool, call)
    if tool.function is None:
        raise ConfigError(f"the tool {tool.name} has no function", hint="tool_of(function)")
    hints = _hints(tool.function)
    return tool.function(**{name: _typed(value, hints.get(name, Any)) for name, value in values.items()})


def arguments(tool: Tool, call: ToolCall) -> dict[str, Any]:
    """Return the arguments of a call as JSON has them, checked against the tool's parameters.

    Raises:
        SchemaError: they are no JSON, or do not follow the parameters.
    """
    try:
        values = call.parsed()
    except (ValueError, RecursionError) as problem:
        raise SchemaError(f"the arguments of {call.name} are no JSON: {problem}") from problem
    if not isinstance(values, dict):
        raise SchemaError(f"the arguments of {call.name} are no object", hint='such as {"city": "Oslo"}')
    validate(values, tool.parameters)
    return values


def _schema(hint: Any, where: str, within: tuple[Any, ...]) -> dict[str, Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        made = _schema(inner[0], where, within)
        told = next((one for one in inner[1:] if isinstance(one, str)), None)
        return made if told is None else {**made, "description": told}
    if origin in (typing.Required, typing.NotRequired):
        return _schema(inner[0], where, within)
    if isinstance(hint, abc.Hashable) and hint in SIMPLE:
        return dict(SIMPLE[hint])
    if origin is typing.Literal:
        return _choice(list(inner), where)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(one, where, within) for one in inner]}
    kind = origin or hint
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        front = [_schema(one, where, within) for one in inner]
        return {"type": "array", "prefixItems": front, "items": False, "minItems": len(front)}
    if kind in LISTS or kind is tuple:
        made = {"type": "array"}
        if inner:
            made["items"] = _schema(inner[0], where, within)
        if kind in (set, frozenset, abc.Set):
            made["uniqueItems"] = True
        return made
    if kind in (dict, abc.Mapping, abc.MutableMapping):
        if inner and inner[0] is not str:
            raise ConfigError(f"{where}: names of {hint} are no str, and in JSON they are", hint="dict[str, ...]")
        return {"type": "object", **({"additionalProperties": _schema(inner[1], where, within)} if inner else {})}
    if isinstance(hint, type):
        if issubclass(hint, enum.Enum):
            return _choice([one.value for one in hint], where)
        if dataclasses.is_dataclass(hint) or typing.is_typeddict(hint):
            if hint in within:
                raise ConfigError(f"{where}: {hint.__name__} holds itself", hint="write it out, as deep as needed")
            return _record(hint, where, (*within, hint))
    raise ConfigError(f"{where}: {hint!r} has no JSON Schema", hint="str, int, list[...], Literal[...], a dataclass")


def _choice(values: list[Any], where: str) -> dict[str, Any]:
    names = {str: "string", bool: "boolean", int: "integer", type(None): "null", float: "number"}
    for value in values:
        if type(value) not in names:
            raise ConfigError(f"{where}: {value!r} is no plain value", hint="str, int, float, bool or None")
    kinds = list(dict.fromkeys(names[type(value)] for value in values))
    return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": values}


def _record(kind: type, where: str, within: tuple[Any, ...]) -> dict[str, Any]:
    """Return the schema of a dataclass or a TypedDict."""
    _, about = _docstring(inspect.getdoc(kind) or "")
    properties: dict[str, Any] = {}
    required = []
    optional = set() if not typing.is_typeddict(kind) else set(kind.__optional_keys__)  # type: ignore[attr-defined]
    defaults: dict[str, Any] = {}
    if dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING:
                optional.add(field.name)
                defaults[field.name] = field.default
    for name, hint in _fields_of(kind).items():
        properties[name] = _schema(hint, f"{where}.{name}", within)
        if name in about:
            properties[name].setdefault("description", about[name])
        if name in defaults:
            _add_default(properties[name], defaults[name])
        # the words of the hint itself count: with annotations as texts, the class has not read them
        spoken = typing.get_origin(hint)
        if spoken is typing.Required or (name not in optional and spoken is not typing.NotRequired):
            required.append(name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _fields_of(kind: type) -> dict[str, Any]:
    hints = _hints(kind)
    if dataclasses.is_dataclass(kind):
        return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}
    return hints


def _hints(thing: Any) -> dict[str, Any]:
    try:
        asked = thing if isinstance(thing, type | types.FunctionType | types.MethodType) else thing.__call__
        return typing.get_type_hints(asked, include_extras=True)
    except (NameError, TypeError, AttributeError) as problem:
        raise ConfigError(
            f"the type hints of {thing!r} cannot be read: {problem}", hint="import what they name"
        ) from None


def _add_default(made: dict[str, Any], default: Any) -> None:
    """Note a default, if JSON can: an Enum by its value, others that JSON has not are left out."""
    value = default.value if isinstance(default, enum.Enum) else default
    try:
        made["default"] = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """Return what a docstring says before its first section, and what it says of each parameter."""
    lines = text.splitlines()
    about: dict[str, str] = {}
    first = next((i for i, line in enumerate(lines) if re.fullmatch(r"[A-Z]\w+\s*:\s*", line)), len(lines))
    start = next((i for i, line in enumerate(lines) if _HEAD.match(line)), len(lines))
    names: list[str] = []
    indent = None
    for line in lines[start + 1 :]:
        depth = len(line) - len(line.lstrip())
        if not line.strip():
            continue
        if depth == 0:
            break
        indent = depth if indent is None else indent
        if depth == indent and (entry := _ENTRY.match(line.strip())):
            names = [name.strip(" *") for name in entry[1].split(",")]
            about.update(dict.fromkeys(names, entry[2].strip()))
        else:
            about.update({name: f"{about[name]} {line.strip()}".strip() for name in names})
    return " ".join(" ".join(lines[:first]).split()), about


def _typed(value: Any, hint: Any) -> Any:
    """Return a checked value of JSON as its type hint has it: an Enum, a dataclass, a tuple, a day."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Annotated, typing.Required, typing.NotRequired):
        return _typed(value, inner[0])
    if origin in (typing.Union, types.UnionType):
        fitting = (one for one in inner if not faults(value, schema_of(one)))
        return _typed(value, next(fitting, Any))
    kind = origin or hint
    if kind in READERS and isinstance(value, str):
        return _read(READERS[kind], value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, float):
        return int(value)
    if isinstance(value, list):
        if kind is tuple and inner and inner[-1] is not Ellipsis:
            return tuple(_typed(part, one) for part, one in zip(value, inner, strict=True))
        parts = [_typed(part, inner[0] if inner else Any) for part in value]
        return kind(parts) if kind in (tuple, set, frozenset) else frozenset(parts) if kind is abc.Set else parts
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(value)
    if isinstance(value, Mapping):
        if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or typing.is_typeddict(kind)):
            hints = _fields_of(kind)
            return kind(**{name: _typed(part, hints[name]) for name, part in value.items()})
        return {name: _typed(part, inner[1] if len(inner) > 1 else Any) for name, part in value.items()}
    return value


def _read(reader: Callable[[str], Any], text: str) -> Any:
    try:
        return reader(text)
    except TinyLLMError:
        raise
    except ValueError as problem:
        raise SchemaError(f"{text!r} cannot be read: {problem}") from problem
