"""Functions as tools: hints become schemas, arguments are checked and come back as their hints say."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict, Union
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.errors import SchemaError
from tinyllm.client.schema import arguments, invoke, schema_of, tool_of
from tinyllm.client.types import Tool, ToolCall
from tinyllm.client.validate import check_schema, faults
from tinyllm.errors import ConfigError


class Unit(enum.Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


@dataclass(frozen=True)
class Place:
    """Where.

    Args:
        city: such as Oslo
    """

    city: str
    at: tuple[float, float] = (0.0, 0.0)
    tags: list[str] = field(default_factory=list)


class Options(TypedDict):
    loud: bool
    unit: NotRequired[Unit]


@dataclass
class Tree:
    left: Tree | None = None


def forecast(
    place: Place,
    days: int = 1,
    unit: Unit = Unit.CELSIUS,
    since: date | None = None,
    *,
    options: Options | None = None,
    note: Annotated[str, "what else to say"] = "",
) -> str:
    """Say what the weather will be.

    It is a guess,
    over two lines.

    Args:
        place: where, which
            may take two lines
        days (int): how many: at most 7
        unit, note: how

    Returns:
        days: not a parameter.
    """
    return f"{place} {days!r} {unit} {since!r} {options} {note!r}"


def call(**values: Any) -> ToolCall:
    return ToolCall("call_0", "forecast", json.dumps(values))


def test_a_function_becomes_a_tool():
    tool = tool_of(forecast)
    assert (tool.name, tool.function) == ("forecast", forecast)
    assert tool.description == "Say what the weather will be. It is a guess, over two lines."
    properties = tool.parameters["properties"]
    assert list(properties) == ["place", "days", "unit", "since", "options", "note"]
    assert tool.parameters["required"] == ["place"] and tool.parameters["additionalProperties"] is False
    assert properties["place"]["description"] == "where, which may take two lines"
    assert properties["days"] == {"type": "integer", "default": 1, "description": "how many: at most 7"}
    assert properties["unit"] == {"type": "string", "enum": ["C", "F"], "default": "C", "description": "how"}
    assert properties["note"]["description"] == "what else to say"  # the hint's own words count more
    assert properties["since"]["anyOf"] == [{"type": "string", "format": "date"}, {"type": "null"}]
    place = properties["place"]
    assert place["required"] == ["city"] and place["properties"]["city"]["description"] == "such as Oslo"
    assert place["properties"]["at"]["default"] == [0.0, 0.0] and "default" not in place["properties"]["tags"]
    assert properties["options"]["anyOf"][0]["required"] == ["loud"]
    json.dumps(tool.parameters)
    check_schema(tool.parameters)
    assert tool_of(forecast, "other", "does").name == "other" and tool_of(forecast, description="").description == ""


def test_arguments_come_back_as_their_hints_say():
    tool = tool_of(forecast)
    made = invoke(
        tool,
        call(
            place={"city": "Oslo", "at": [59, 10.5]},
            days=2.0,
            unit="F",
            since="2026-11-21",
            options={"loud": True, "unit": "C"},
        ),
    )
    place = Place("Oslo", (59.0, 10.5))
    options = {"loud": True, "unit": Unit.CELSIUS}
    assert made == f"{place} 2 {Unit.FAHRENHEIT} {date(2026, 11, 21)!r} {options} ''"
    assert invoke(tool, call(place={"city": "Oslo"})) == f"{Place('Oslo')} 1 {Unit.CELSIUS} None None ''"


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({}, "$.place"),
        ({"place": {"city": 1}}, "$.place.city"),
        ({"place": {"city": "Oslo", "at": [1]}}, "$.place.at"),
        ({"place": {"city": "Oslo"}, "days": "2"}, "$.days"),
        ({"place": {"city": "Oslo"}, "unit": "K"}, "$.unit"),
        ({"place": {"city": "Oslo"}, "since": "tomorrow"}, "$.since"),
        ({"place": {"city": "Oslo"}, "when": 1}, "$.when"),
        ({"place": {"city": "Oslo"}, "options": {"loud": "yes"}}, "$.options.loud"),
    ],
)
def test_wrong_arguments_are_never_used(values, path):
    called = []
    tool = tool_of(forecast)
    watched = Tool(tool.name, tool.description, tool.parameters, lambda **given: called.append(given))
    with pytest.raises(SchemaError) as caught:
        invoke(watched, call(**values))
    assert caught.value.path == path and not called


@pytest.mark.parametrize("text", ['{"place": {"ci', "[1]", "null", '{"a": 1} {"b": 2}', "[" * 100_000])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(SchemaError, match="arguments of f are no"):
        arguments(tool_of(forecast), ToolCall("call_0", "f", text))
    with pytest.raises(ConfigError, match="no function"):
        invoke(Tool("f"), ToolCall("call_0", "f", ""))


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (Any, {}),
        (None, {"type": "null"}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045
        (Union[int, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),  # noqa: UP007
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal[1, "b", None], {"type": ["integer", "string", "null"], "enum": [1, "b", None]}),
        (list, {"type": "array"}),
        (Sequence[bool], {"type": "array", "items": {"type": "boolean"}}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (dict, {"type": "object"}),
        (Mapping[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (
            tuple[int, str],
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False, "minItems": 2},
        ),
        (datetime, {"type": "string", "format": "date-time"}),
        (UUID, {"type": "string", "format": "uuid"}),
    ],
)
def test_hints(hint, schema):
    assert schema_of(hint) == schema


def no_hint(x): ...


def positional(x: int, /): ...


def many(*x: int): ...


def number(x: complex): ...


def inside(x: list[dict[int, str]]): ...


def unknown(x: Missing): ...  # noqa: F821


def grows(x: Tree): ...


@pytest.mark.parametrize("function", [no_hint, positional, many, number, inside, unknown, grows])
def test_what_json_cannot_express_is_refused(function):
    with pytest.raises(ConfigError):
        tool_of(function)


def test_methods_and_callables():
    class Clock:
        """Tells the time."""

        def at(self, city: str) -> str:
            """Tell it."""
            return f"noon in {city}"

        def __call__(self, city: str) -> str:
            return f"night in {city}"

    oslo = ToolCall("call_0", "at", '{"city": "Oslo"}')
    assert invoke(tool_of(Clock().at), oslo) == "noon in Oslo"
    assert invoke(tool_of(Clock()), oslo) == "night in Oslo" and tool_of(Clock()).name == "Clock"


HINTS = [int, str, bool, float, Unit, date, Place, Options, list[int], tuple[int, str], dict[str, int], int | None]
VALUES = {
    int: st.integers(-5, 5),
    str: st.text(max_size=3),
    bool: st.booleans(),
    float: st.floats(-9, 9),
    Unit: st.sampled_from(["C", "F"]),
    date: st.dates().map(str),
    Place: st.fixed_dictionaries({"city": st.text(max_size=2)}),
    Options: st.fixed_dictionaries({"loud": st.booleans()}),
    list[int]: st.lists(st.integers(-5, 5), max_size=3),
    tuple[int, str]: st.tuples(st.integers(-5, 5), st.text(max_size=2)).map(list),
    dict[str, int]: st.dictionaries(st.text(max_size=2), st.integers(-5, 5), max_size=2),
    int | None: st.none() | st.integers(-5, 5),
}


@settings(derandomize=True)
@given(st.sampled_from(HINTS), st.data())
def test_what_a_schema_allows_a_function_gets(hint, data):
    got = []

    def function(x):
        got.append(x)

    function.__annotations__ = {"x": hint}
    value = data.draw(VALUES[hint])
    assert faults(value, schema_of(hint)) == []
    invoke(tool_of(function), ToolCall("call_0", "function", json.dumps({"x": value})))
    kind = {Options: dict, list[int]: list, tuple[int, str]: tuple, dict[str, int]: dict}.get(hint, hint)
    assert isinstance(got[0], kind)


def test_generate_understands_what_functions_become():
    """The same schema can mask the sampler of the local GPT."""
    from tinyllm.generate.constrain.regular import accepts
    from tinyllm.generate.constrain.schema import schema_language

    def weather(city: Literal["Oslo", "Rome"], days: int = 1): ...

    language = schema_language(tool_of(weather).parameters)
    assert accepts(language, '{"city": "Oslo", "days": 3}') and accepts(language, '{"city": "Rome"}')
    assert not accepts(language, '{"city": "Bonn"}') and not accepts(language, '{"days": 3}')
