"""Halves of a character find each other, wherever a text was cut."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.surrogates import Halves, mend

LAW = settings(derandomize=True, deadline=None, max_examples=40)
TEXTS = st.text(st.sampled_from("aé\ud83d\ude42\ud800\udfff\U0001f642"), max_size=8)


@LAW
@given(st.lists(TEXTS, max_size=6), st.booleans())
def test_pieces_are_mended_as_the_whole_is(texts, replace):
    halves = Halves(replace)
    pieces = [halves.feed(text) for text in texts]
    joined = "".join(pieces) + halves.close()
    assert joined == mend("".join(texts), replace) and halves.close() == ""
    if replace:
        joined.encode()


def test_mending():
    assert mend("plain é") == "plain é" and mend("\ud83d\ude42!") == "\U0001f642!"
    assert mend("\ude42\ud83d") == "\ude42\ud83d" and mend("\ude42\ud83d", replace=True) == "\ufffd\ufffd"
    assert mend("\ud83d\ud83d\ude42") == "\ud83d\U0001f642"
    halves = Halves()
    assert [halves.feed(text) for text in ("\ud83d", "", "a", "b")] == ["", "", "\ud83da", "b"], "in their order"
