from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, SpecialTokenError
from tinyllm.tokenizer.specials import Specials

names = st.sets(st.text("<|ab", min_size=1, max_size=5), max_size=5)
texts = st.text("<|abc", max_size=30)


def looked_for_at_every_place(text: str, wanted) -> list[tuple[int, str]]:
    found, place = [], 0
    while place < len(text):
        here = [name for name in wanted if text.startswith(name, place)]
        if here:
            found.append((place, max(here, key=len)))
        place += len(found[-1][1]) if here else 1
    return found


@given(names, names, texts)
def test_occurrences_are_the_leftmost_and_the_longest(all_names, others, text):
    specials = Specials(dict.fromkeys(all_names | others, 1))
    assert list(specials.occurrences(text, all_names)) == looked_for_at_every_place(text, all_names)
    assert list(specials.occurrences(text, ())) == []


@given(names, texts)
def test_what_occurs_may_occur(all_names, text):
    if looked_for_at_every_place(text, all_names):
        assert Specials(dict.fromkeys(all_names, 1)).may_occur(text)


@given(names, texts)
def test_the_open_end_is_where_a_name_may_have_begun(all_names, text):
    open_end = Specials({}).open_end(text, all_names)
    ends = [text[place:] for place in range(len(text))]
    begun = [i for i, end in enumerate(ends) if any(name.startswith(end) and name != end for name in all_names)]
    assert open_end == min(begun, default=len(text))


def test_a_text_without_their_common_beginning_is_told_quickly():
    specials = Specials({"<|end|>": 1, "<|start|>": 2})
    assert not specials.may_occur("a < b | c") and specials.may_occur("a <| b")
    assert not Specials({}).may_occur("anything")
    assert not Specials({"[A]": 1, "<B>": 2}).may_occur("none")
    assert Specials({"<\U0001f600>": 1}).may_occur("<\ud83d\ude00>")  # surrogates may spell it


def test_names_that_do_not_begin_alike():
    specials = Specials({"[A]": 1, "<B>": 2, "[": 3})
    assert list(specials.occurrences("<B>[A][<B", {"[A]", "<B>", "["})) == [(0, "<B>"), (3, "[A]"), (6, "[")]


def test_unknown_names_are_never_found():
    assert list(Specials({"<|a|>": 1}).occurrences("hello<|a|>", {"hello"})) == []


@pytest.mark.parametrize(
    ("allowed", "disallowed", "chosen"),
    [
        ((), "all", (set(), {"a", "b"})),
        ("all", "all", ({"a", "b"}, set())),
        ({"a"}, "all", ({"a"}, {"b"})),
        (["a", "c"], (), ({"a"}, set())),
        ("all", ["a"], ({"a", "b"}, {"a"})),
        (None, None, (set(), set())),
        ((), {"other"}, (set(), {"other"})),
    ],
)
def test_who_is_allowed_and_who_is_not(allowed, disallowed, chosen):
    assert Specials({"a": 1, "b": 2}).choose(allowed, disallowed) == chosen


@pytest.mark.parametrize("wrong", ["a", "", 3, "ALL"])
def test_one_string_is_no_set_of_them(wrong):
    with pytest.raises(ConfigError, match="no set of strings"):
        Specials({"a": 1}).choose(wrong, ())
    with pytest.raises(ConfigError, match="no set of strings"):
        Specials({"a": 1}).choose((), wrong)


def test_the_first_that_is_not_allowed_is_named_with_its_place():
    specials = Specials({"<|a|>": 1, "<|b|>": 2})
    specials.refuse("<|a|>", frozenset({"<|b|>"}))
    with pytest.raises(SpecialTokenError, match=r"'<\|b\|>' at character 1,005.*allowed_special=\{'<\|b\|>'\}"):
        specials.refuse("<|a|><|b|>", frozenset({"<|b|>"}), begin=1000)
    specials.refuse("<|a|><|b|>", frozenset({"<|b|>"}), end=5)
    with pytest.raises(SpecialTokenError, match="the disallowed 'foo' at character 3") as caught:
        specials.refuse("-->foo", frozenset({"foo", "<|a|>"}))  # no special token: nothing would allow it
    assert "if it is meant" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["", 3, b"a", "\ud800"])
def test_what_cannot_be_a_special_token(wrong):
    with pytest.raises(ConfigError, match="cannot be a special token"):
        Specials({"<|a|>": 1, wrong: 2})
