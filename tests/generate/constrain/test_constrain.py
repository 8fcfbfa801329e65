"""Constrained decoding: patterns as Python reads them, JSON as its schema wants it, and never a dead end."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.errors import ConfigError
from tinyllm.generate.constrain import Form, following, matching, regular
from tinyllm.generate.constrain.pattern import pattern
from tinyllm.generate.constrain.regular import NOTHING, accepts, both, characters, either, literal, many, table
from tinyllm.generate.constrain.schema import schema_language
from tinyllm.tokenizer import ByteTokenizer, CharTokenizer, train_bpe

TEXTS = ['{"name": "Ann", "age": 41, "tags": ["a", "b"]}', '{"ok":true}', "[1, 2.5, null]", "naïve €"] * 3
BPE = train_bpe(TEXTS, 300)

atoms = st.sampled_from(["a", "b", "é", ".", "[ab]", "[^a]", r"\d", r"\w", r"\W", r"[\s-]", r"\.", "[a-c0]", "x{2}"])


counts = st.sampled_from(["*", "+", "?", "{1,2}", "{2,}", "{0}", "{3}"])


def wrapped(inner):
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{1,2}", "{2,}", "{0}", "{3}"])).map(
            lambda t: f"(?:{t[0]}){t[1]}"
        ),
    )


patterns = st.recursive(atoms, wrapped, max_leaves=6)


@settings(max_examples=100)
@given(patterns, st.lists(st.text("abcéx0 .-\n€", max_size=5), min_size=4, max_size=8))
def test_a_pattern_accepts_what_python_s_does(written, texts):
    language = pattern(written)
    for text in ["", *texts]:
        wanted = re.fullmatch(written, text, re.ASCII) is not None
        assert accepts(language, text) == wanted, (written, text)
    steps, ends = table(language) if language != NOTHING else (np.full((1, 256), -1), np.array([False]))
    for text in texts:  # the automaton says the same
        state = 0
        for byte in text.encode():
            state = int(steps[state, byte]) if state >= 0 else -1
        assert bool(state >= 0 and ends[state]) == accepts(language, text)


@given(
    st.integers(0, 0x10FFFF), st.integers(0, 0x10FFFF), st.lists(st.characters(exclude_categories=["Cs"]), max_size=5)
)
def test_a_range_of_characters_holds_what_lies_in_it(one, other, found):
    low, high = min(one, other), max(one, other)
    language = characters([(low, high)])
    ends = [chr(n) for n in (low, high, (low + high) // 2) if not 0xD800 <= n <= 0xDFFF]
    for character in [*ends, *found]:
        assert accepts(language, character) == (low <= ord(character) <= high)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("(a", r"at 2: expected \)"), ("a)", "closes nothing"), ("*a", "counts nothing"), ("a{2,1}", "not smaller"),
        ("a{x}", r"a count is \{2\}"), ("a*?", "a count after a count"), ("(?=a)", r"only \(\?:"), (r"\q", "not known"),
        ("[b-a]", "to a later one"), ("[a", "expected"), (r"\xg", "2 hexadecimal"), ("a^b", "inside"),
        ("a{1", "a count"), (r"\1", "not known"), ("a{9999}", "5000 at most"),
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_told_where(written, said):
    with pytest.raises(ConfigError, match=said):
        pattern(written)


PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "age": {"type": ["integer", "null"]},
        "tags": {"type": "array", "items": {"enum": ["a", "b\n", 3]}, "minItems": 1, "maxItems": 3},
        "pet": {"$ref": "#/$defs/pet"},
    },
    "required": ["name", "tags"],
    "$defs": {"pet": {"anyOf": [{"const": "cat"}, {"type": "object", "properties": {}, "title": "none"}]}},
}


def fits(value: Any) -> bool:
    """What PERSON means, said by hand."""
    return (
        list(value) == [key for key in PERSON["properties"] if key in value]
        and 1 <= len(value["name"]) <= 5
        and (value.get("age") is None or type(value["age"]) is int)
        and 1 <= len(value["tags"]) <= 3
        and all(tag in ("a", "b\n", 3) for tag in value["tags"])
        and value.get("pet", "cat") in ("cat", {})
    )


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('{"name": "Ann", "tags": ["a"]}', True),
        ('{"name":"Ann","age":null,"tags":["b\\n",3],"pet":{}}', True),
        ('{"name": "Ann", "age": -12, "tags": [3, 3, "a"], "pet": "cat"}', True),
        ('{"name": "Ann"}', False),
        ('{"tags": ["a"], "name": "Ann"}', False),
        ('{"name": "", "tags": ["a"]}', False),
        ('{"name": "Ann", "tags": []}', False),
        ('{"name": "Ann", "age": 012, "tags": ["a"]}', False),
        ('{"name": "Ann", "tags": ["a"], }', False),
        ('{"name": "\\u00e4\\"", "tags": ["a"]}', True),
        ('{"name": "a\n", "tags": ["a"]}', False),
    ],
)
def test_a_schema_accepts_what_it_should(text, right):
    assert accepts(schema_language(PERSON), text) == right


def drawn(constraint: Form, tokenizer: Any, rng: np.random.Generator, hurry: int = 60) -> str:
    """Draw tokens among those allowed; past some of them the shortest way to an end is taken."""
    state, ids = constraint.start(), []
    while not constraint.must_end(state) and not (constraint.may_end(state) and rng.random() < 0.3):
        allowed = np.flatnonzero(constraint.allowed(state))
        if len(ids) > hurry:
            allowed = allowed[:1] if rng.random() < 0.5 else allowed
        token = int(rng.choice(allowed))
        state = constraint.advance(state, token)
        ids.append(token)
        assert len(ids) < 3000
    return str(tokenizer.decode(ids))


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), BPE], ids=["bytes", "bpe"])
def test_whatever_is_drawn_is_json_of_the_schema(tokenizer):
    constraint = following(PERSON, tokenizer)
    rng = np.random.default_rng(0)
    for _ in range(30):
        assert fits(json.loads(drawn(constraint, tokenizer, rng)))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number"}, {"type": "boolean"}, {"type": "array", "items": {"type": "integer"}},
        {"type": "array", "prefixItems": [{"type": "null"}, {"type": "boolean"}]}, {"enum": [1, "x", None, [2]]},
        {"type": "string", "format": "date"}, {"type": "string", "format": "uuid"},
        {"type": "string", "format": "time"},
        {"type": "string", "pattern": ".{2,4}[x\"]?"}, {"oneOf": [{"type": "null"}, {"type": "string"}]},
        {"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c": {"type": "null"}}},
    ],
    ids=str,
)  # fmt: skip
def test_every_kind_of_schema_gives_json(schema):
    constraint = following(schema, BPE)
    rng = np.random.default_rng(1)
    for _ in range(10):
        json.loads(drawn(constraint, BPE, rng))


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string", "patern": "a"}, r"patern cannot be kept to here\. Try: pattern"),
        ({"type": "integer", "minimum": 3}, "minimum cannot be kept"),
        ({"type": "strin"}, "no type 'strin'. Try: string"),
        ({"properties": {}}, "has no type"),
        ({"type": "array"}, "has no items"),
        ({"type": "object", "properties": {}, "required": ["x"]}, "'x', which is no property"),
        ({"$ref": "#/$defs/x"}, "leads nowhere"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "array", "items": {"$ref": "#/$defs/x"}}}}, "holds itself"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "minLength is 3"),
        ({"type": "string", "maxLength": -1}, "maxLength is -1"),
        ({"type": "string", "format": "email"}, "no format 'email'"),
        ({"type": "string", "pattern": "a", "minLength": 2}, "beside another limit"),
        ([], "is no object"),
        ({"enum": []}, "no text of this form"),
        ({"type": "string", "pattern": '"'}, "no text of this form"),
    ],
)
def test_a_schema_that_cannot_be_kept_to_is_refused(schema, said):
    with pytest.raises(ConfigError, match=said):
        following(schema, ByteTokenizer())


def test_no_token_leads_into_a_dead_end():
    language = both(either(literal("ax"), literal("bx")), either(literal("ay"), literal("bx")))
    constraint = Form(language, ByteTokenizer())
    assert np.flatnonzero(constraint.allowed(0)).tolist() == [ord("b")]  # "a" fits both, and comes to nothing


def test_a_vocabulary_that_cannot_spell_it_says_so():
    constraint = matching("ab|c", CharTokenizer("a"))
    state = constraint.advance(0, 0)
    with pytest.raises(ConfigError, match="no token of the vocabulary"):
        constraint.allowed(state)


def test_tokens_without_text_are_never_allowed_and_wrong_ones_refused():
    constraint = matching("(yes)+", BPE)
    allowed = constraint.allowed(0)
    assert {BPE.decode_bytes([int(token)]) for token in np.flatnonzero(allowed)} <= {b"y", b"ye", b"yes"}
    with pytest.raises(ConfigError, match="does not fit here"):
        constraint.advance(0, int(np.flatnonzero(~allowed)[0]))
    with pytest.raises(ConfigError, match="does not fit here"):
        constraint.advance(0, BPE.n_vocab)


def test_a_huge_automaton_is_refused_and_a_long_text_is_not(monkeypatch):
    monkeypatch.setattr(regular, "MOST_STATES", 500)
    with pytest.raises(ConfigError, match="more than 500 states"):
        table(pattern("[ab]*a[ab]{15}"))
    assert accepts(many(literal("ab"), 0, 3000), "ab" * 3000)
    assert table(literal("x" * 400))[0].shape == (401, 256)
