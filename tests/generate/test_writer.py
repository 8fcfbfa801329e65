"""A writer by itself: what a token spells depends on where it stands, and nothing that is still open is said."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.generate.setting import Sampling
from tinyllm.generate.writer import Writer
from tinyllm.tokenizer import ByteTokenizer, ScoredBPE

GREEDY = Sampling(temperature=0)


def test_a_token_is_spelled_as_its_place_asks():
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), " ", "a", " a"]
    scored = ScoredBPE(tokens, [0.0] * len(tokens))
    writer = Writer([1], 3, GREEDY, scored)
    assert [writer.add(261) for _ in range(3)] == ["a", " a", " a"]  # none before the first word of a text
    assert Writer([1, 260], 3, GREEDY, scored).add(261) == " a"


@given(st.binary(max_size=12), st.lists(st.sampled_from(["a", "ab", "é", "\ufffd"]), max_size=2))
def test_all_that_was_said_is_the_text_before_the_first_stop(says, stops):
    writer = Writer([65], 12, GREEDY, ByteTokenizer(), stops)
    pieces = []
    for token in says:
        if writer.finish is None:
            pieces.append(writer.add(token))
    whole = bytes(writer.ids).decode("utf-8", "replace")
    if writer.finish == "stop":
        said = "".join(pieces)
        assert any(whole.startswith(said + stop) for stop in stops) and not any(stop in said for stop in stops)
    elif writer.finish == "length":
        assert "".join(pieces) == whole and not any(stop in whole for stop in stops)
    else:
        assert whole.startswith("".join(pieces))


def test_forbidden_tokens_are_not_chosen_and_the_logits_stay_as_they_are():
    logits = np.array([1.0, 5.0, 3.0], dtype=np.float32)
    assert Writer([0], 1, GREEDY, unused=[1]).choose(logits) == 2
    assert logits.tolist() == [1.0, 5.0, 3.0]
    assert Writer([0], 1, GREEDY).possible(logits) is logits
    both = Writer([0], 1, GREEDY, unused=[1]).possible(np.stack([logits, logits]))
    assert np.isneginf(both).tolist() == [[False, True, False]] * 2
