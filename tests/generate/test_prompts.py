"""Where texts begin and end, for each kind of tokenizer and config."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import TokenError
from tinyllm.generate.prompts import end_ids, first_ids, prompt_ids, unused_ids
from tinyllm.models import GPTConfig, LlamaConfig
from tinyllm.tokenizer import ByteTokenizer, Encoding, ScoredBPE

GPT2 = GPTConfig.preset("gpt2", vocab_size=300)
SINGLE = {bytes((i,)): i for i in range(256)}


def encoding(**specials):
    return Encoding(
        "toy", pat_str="gpt2", mergeable_ranks=SINGLE, special_tokens={f"<|{n}|>": i for n, i in specials.items()}
    )


def scored():
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), " ", "a", " a"]
    return ScoredBPE(tokens, [0.0] * len(tokens))


def llama(**extra):
    return LlamaConfig(vocab_size=300, n_layer=1, n_head=1, n_embd=4, n_hidden=4, extra=extra)


def test_ends_are_the_tokenizers_and_the_configs():
    assert end_ids(encoding(endoftext=256, im_end=258, im_start=257), GPT2) == {256, 258}
    assert end_ids(encoding(im_start=257), GPT2) == end_ids(ByteTokenizer(), GPT2) == end_ids(None, GPT2) == set()
    assert end_ids(scored(), GPT2) == {1, 2}
    told = encoding(over=256, endoftext=257, more=258)
    told.settings = {"eos_token": "<|over|>"}
    assert end_ids(told, GPT2) == {256, 257}
    assert end_ids(None, llama(eos_token_id=7)) == {7}
    assert end_ids(encoding(eot_id=270), llama(eos_token_id=[7, 999, -1])) == {7, 270}
    assert end_ids(None, llama(eos_token_id=None)) == set()


def test_what_stands_for_no_token():
    assert unused_ids(encoding(a=256, b=258), 260).tolist() == [257, 259]
    assert unused_ids(encoding(a=256, b=256), 257).tolist() == []  # two names of one token
    assert unused_ids(encoding(), 256).tolist() == unused_ids(None, 300).tolist() == []


def test_an_empty_prompt_is_what_texts_begin_with():
    assert first_ids("", ByteTokenizer(), GPT2) == [10]
    assert first_ids("", ByteTokenizer(), llama(bos_token_id=5)) == [5]
    assert first_ids("", ByteTokenizer(), llama(bos_token_id=None)) == [10]
    assert first_ids("", scored(), GPT2) == [1]


def test_ids_stay_and_letters_are_encoded():
    assert first_ids(np.array([3, 1], dtype=np.uint16), None, GPT2) == [3, 1]
    assert first_ids("a<|x|>", encoding(x=256), GPT2) == prompt_ids(encoding(x=256), "a<|x|>") == list(b"a<|x|>")
    with pytest.raises(TokenError, match="there is no token 280"):
        first_ids([1, 280], encoding(), GPT2)
