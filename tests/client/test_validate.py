"""Validation: every fault with its place; what is not checked is refused by name."""

from __future__ import annotations

import json

import pytest

from tinyllm.client.errors import SchemaError
from tinyllm.client.validate import SHAPES, check_schema, faults, validate
from tinyllm.errors import ConfigError

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1},
        "days": {
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {"high": {"type": "number", "maximum": 60}},
                "required": ["high"],
            },
        },
        "unit": {"enum": ["C", "F"]},
    },
    "required": ["city"],
    "additionalProperties": False,
}


def test_paths():
    value = {"days": [{"high": 1}, {"high": "hot"}, {}], "unit": "K", "a b": 1}
    assert faults(value, WEATHER) == [
        ("$.city", "is missing"),
        ("$.days[1].high", 'is "hot", which is no number'),
        ("$.days[2].high", "is missing"),
        ("$.unit", 'is "K", which is not one of "C", "F"'),
        ('$["a b"]', "is not one of the properties, which are city, days, unit"),
    ]
    with pytest.raises(SchemaError, match=r"and 2 more") as caught:
        validate(value, WEATHER)
    assert caught.value.path == "$.city" and isinstance(caught.value, ValueError)
    validate({"city": "Oslo", "days": [{"high": 4.5, "low": None}]}, WEATHER)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, [1, 1.0, -(10**30)], [True, 1.5, "1", None, float("nan")]),
        ({"type": ["string", "null"]}, ["", None], [0, []]),
        ({"const": 1}, [1, 1.0], [True, "1", [1]]),
        ({"enum": [[1, {"a": True}]]}, [[1.0, {"a": True}]], [[1, {"a": 1}], [True, {"a": True}]]),
        ({"multipleOf": 0.1}, [0.3, 7, "x"], [0.35]),
        ({"exclusiveMinimum": 0, "exclusiveMaximum": 1}, [0.5], [0, 1, 1.0]),
        ({"uniqueItems": True}, [[1, True, "1", [1], {"a": 1}]], [[1, 1.0], [{"a": [1]}, {"a": [1]}]]),
        ({"minItems": 1, "maxItems": 2}, [[1], [1, 2], "abc"], [[], [1, 2, 3]]),
        ({"prefixItems": [{"type": "integer"}], "items": False}, [[], [1]], [["x"], [1, 2]]),
        ({"minLength": 1, "maxLength": 2}, ["a", "\U00010348b", 1], ["", "abc"]),
        ({"pattern": "b+$"}, ["ab", 1], ["ba"]),
        ({"format": "date"}, ["2026-02-28"], ["2026-02-30", "20260228", "2026-02-28T"]),
        ({"format": "date-time"}, ["2026-02-28T09:00:00Z"], ["2026-02-30T09:00:00Z", "2026-02-28 09:00", ""]),
        ({"format": "uuid"}, ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567"]),
        ({"anyOf": [{"type": "null"}, {"minimum": 3}]}, [None, 3, "x"], [2]),
        ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, [2, 3.5], [3, 2.5]),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [0, 3]),
        ({"not": {"type": "string"}}, [1], ["x"]),
        ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, {"a": 1, "b": 2}]),
        ({"additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "1"}]),
        (True, [1, None], []),
        (False, [], [1, None]),
        ({"properties": {"a": False}}, [{"b": 1}], [{"a": 1}]),
    ],
)
def test_keywords(schema, good, bad):
    for value in good:
        assert faults(value, schema) == [], value
    for value in bad:
        assert faults(value, schema), value


def test_references():
    tree = {"$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["v"]}}}
    tree["$ref"] = "#/$defs/node"
    assert faults({"v": 1, "next": {"v": 2, "next": {"v": 3}}}, tree) == []
    assert faults({"v": 1, "next": {"next": {"v": 3}}}, tree) == [("$.next.v", "is missing")]
    assert faults([[[]], [1]], {"items": {"$ref": "#"}, "type": "array"}) == [("$[1][0]", "is 1, which is no array")]
    for place in ("#/$defs/other", "elsewhere.json", "#name"):
        with pytest.raises(ConfigError, match="leads nowhere"):
            faults(1, {"$ref": place})
    with pytest.raises(ConfigError, match="refers to itself"):
        faults(1, {"$ref": "#"})


def test_the_fault_of_the_part_that_came_furthest():
    schema = {"anyOf": [{"type": "null"}, WEATHER]}
    assert faults({"city": "Oslo", "unit": "K"}, schema)[0][0] == "$.unit"


@pytest.mark.parametrize(
    "schema",
    [
        {"propertyNames": {}},
        {"properties": {"a": {"items": {"contains": {}}}}},
        {"$defs": {"a": {"minmum": 1}}},
        {"type": "text"},
        {"minLength": -1},
        {"pattern": "("},
        {"format": "email"},
        {"multipleOf": 0},
        {"anyOf": []},
        {"anyOf": "x"},
        {"properties": []},
        {"required": "a"},
        {"enum": "abc"},
        {"items": [1]},
        "text",
        None,
    ],
)
def test_what_is_not_checked_is_refused(schema):
    with pytest.raises(ConfigError):
        faults({"a": 1}, schema)


def test_a_misspelled_keyword_has_a_hint():
    with pytest.raises(ConfigError, match="Try: minimum"):
        check_schema({"minmum": 1})


def test_depth():
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    assert faults(deep, {"items": {"$ref": "#"}})[0][1] == "is nested too deeply to be checked"
    assert faults(deep, {"const": [1]})
    schema: dict = {}
    for _ in range(200):
        schema = {"items": schema}
    with pytest.raises(ConfigError, match="deeper"):
        check_schema(schema)


def test_every_keyword_has_a_test():
    source = json.dumps([mark.args[1] for mark in test_keywords.pytestmark], default=str) + json.dumps(WEATHER)
    assert [word for word in SHAPES if f'"{word}"' not in source and word != "$ref"] == []
