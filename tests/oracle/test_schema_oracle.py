"""Validation beside the package jsonschema, on generated schemas and values: the same verdict, and the same places."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.validate import faults

jsonschema = pytest.importorskip("jsonschema")
pytestmark = pytest.mark.oracle

NAME = st.sampled_from(["a", "b", "c"])
PLAIN = st.none() | st.booleans() | st.integers(-4, 4) | st.sampled_from([0.5, 1.0, 2.5]) | st.text("ab", max_size=3)
VALUE = st.recursive(
    PLAIN, lambda part: st.lists(part, max_size=3) | st.dictionaries(NAME, part, max_size=3), max_leaves=6
)
COUNT, BOUND = st.integers(0, 3), st.integers(-3, 3) | st.sampled_from([0.5, 1.5])
TYPE = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def _schemas(part):
    some = st.lists(part, min_size=1, max_size=3)
    words = {
        "type": TYPE | st.lists(TYPE, min_size=1, max_size=3, unique=True),
        "enum": st.lists(VALUE, min_size=1, max_size=3),
        "const": VALUE,
        "anyOf": some,
        "oneOf": some,
        "allOf": some,
        "not": part,
        "properties": st.dictionaries(NAME, part, max_size=3),
        "required": st.lists(NAME, max_size=2, unique=True),
        "additionalProperties": part,
        "minProperties": COUNT,
        "maxProperties": COUNT,
        "items": part,
        "prefixItems": some,
        "minItems": COUNT,
        "maxItems": COUNT,
        "uniqueItems": st.booleans(),
        "pattern": st.sampled_from(["a", "^b", "a+$"]),
        "minLength": COUNT,
        "maxLength": COUNT,
        "minimum": BOUND,
        "maximum": BOUND,
        "exclusiveMinimum": BOUND,
        "exclusiveMaximum": BOUND,
        "multipleOf": st.integers(1, 3) | st.just(0.5),
    }
    chosen = st.lists(st.sampled_from(sorted(words)), max_size=4, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: words[name] for name in names}))


SCHEMA = st.recursive(st.booleans() | st.just({}) | _schemas(st.just({})), _schemas, max_leaves=5)


def _path(error):
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)


@settings(derandomize=True, max_examples=400, deadline=None)
@given(SCHEMA, st.lists(VALUE, min_size=1, max_size=4))
def test_the_same_verdict(schema, values):
    other = jsonschema.Draft202012Validator(schema)
    for value in values:
        found = faults(value, schema)
        assert (not found) == other.is_valid(value), (schema, value, found)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.dictionaries(NAME, _schemas(st.just({})), max_size=3), st.dictionaries(NAME, VALUE, max_size=3))
def test_the_same_places(properties, value):
    plain = {"type", "enum", "const", "minimum", "maximum", "minLength", "maxLength", "minItems", "pattern"}
    schema = {"properties": {name: {w: v for w, v in part.items() if w in plain} for name, part in properties.items()}}
    ours = {path for path, _ in faults(value, schema)}
    assert ours == {_path(error) for error in jsonschema.Draft202012Validator(schema).iter_errors(value)}
