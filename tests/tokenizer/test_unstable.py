from __future__ import annotations

import random
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import SpecialTokenError
from tinyllm.tokenizer import Encoding, bytepair, get_encoding, split
from tinyllm.tokenizer.split import PATTERNS
from tinyllm.tokenizer.unstable import take_back

BYTES = {bytes((i,)): i for i in range(256)}
TEXT = "a banana, an ananas and a bandana ban  \n\n  \n 'band' aaa"
SPECIALS = {"<|end|>": 900, "<|endless|>": 901}
# tokens over the borders of pieces and of characters, and three that no merges lead to
ODD = [
    b"\n ", b" \n", b"  ", b"\n\n", b"\t\n", b"' ", b"'a", b" \xe4", b"a\xe4", b"\xb8\xad", b"\xe4\xb8",
    b"abcd", b"wxyz", b"vwx\xe4", b"x\xe4",
]  # fmt: skip


def learned(pattern: str) -> Encoding:
    words: dict[bytes, int] = {}
    for piece in split(TEXT, pattern):
        words[piece.encode()] = words.get(piece.encode(), 0) + 1
    ranks = dict(BYTES)
    for token in [merge.left + merge.right for merge in bytepair.train(words, 290)] + ODD:
        ranks.setdefault(token, len(ranks))
    return Encoding("learned", pat_str=pattern, mergeable_ranks=ranks, special_tokens=SPECIALS)


GPT2, CL100K = learned("gpt2"), learned("cl100k")


@pytest.mark.parametrize(
    ("text", "stable", "taken"),
    [
        ("", "", b""),
        ("ban", "", b"ban"),
        ("a ban", "a", b" ban"),
        ("a? ", "a?", b" "),
        ("a \n\n", "a", b" \n\n"),
        ("a\n ban", "a", b"\n ban"),  # it begins with the token of a space, so the spaces before it go, too
        ("a\n nab", "a\n", b" nab"),  # it begins with " n"
        ("a\n\u00a0", "a\n", b"\xc2\xa0"),  # not of the three kinds of spaces that are looked for
    ],
)
def test_what_is_taken_back(text, stable, taken):
    encoding = Encoding("bytes", pat_str="llama3", mergeable_ranks=BYTES | {b" n": 256})
    assert take_back(encoding, text) == (list(stable.encode()), taken)


@given(st.sampled_from([GPT2, CL100K]), st.text("ab'n \n\t\u4e2d", max_size=40))
def test_nothing_is_lost(encoding, text):
    ids, taken = take_back(encoding, text)
    assert encoding.decode_bytes(ids) + taken == text.encode()
    assert encoding.encode_ordinary(text)[: len(ids)] == ids
    assert bool(taken) == bool(text)


@given(st.text("abnd", min_size=1, max_size=8), st.text("abnd", max_size=6))
def test_every_way_to_go_on_is_among_the_completions(text, more):
    stable, completions = GPT2.encode_with_unstable(text)
    ids, covered = [], 0
    for i in GPT2.encode(text + more):
        if covered < len(text):
            ids.append(i)
            covered += len(GPT2.decode_single_token_bytes(i))
    assert stable == [] and ids in completions


@given(st.text("ab'n \n\t\u4e2d", max_size=9))
def test_completions_begin_with_the_text(text):
    stable, completions = CL100K.encode_with_unstable(text)
    assert completions == sorted(completions) and len(set(map(tuple, completions))) == len(completions)
    assert bool(completions) == bool(text)
    for ids in completions:
        assert CL100K.decode_bytes(stable + ids).startswith(text.encode())
        assert not CL100K.decode_bytes(stable + ids[:-1]).startswith(text.encode())


def test_surrogates():
    assert GPT2.encode_with_unstable("a \ud83d") == GPT2.encode_with_unstable("a \ufffd")
    assert GPT2.encode_with_unstable("\ud83d\ude00") == GPT2.encode_with_unstable("\U0001f600")


def test_special_tokens():
    after = GPT2.encode_with_unstable("ban<|end|>", allowed_special="all")
    assert after == (GPT2.encode("ban<|end|>", allowed_special="all"), [])
    stable, completions = GPT2.encode_with_unstable("ban<|end|> a", allowed_special="all")
    assert stable == after[0] and GPT2.encode(" a") in completions
    stable, _ = GPT2.encode_with_unstable("<|end|>  ", allowed_special="all")
    assert stable == [900]  # spaces are taken back as far as the special token
    with pytest.raises(SpecialTokenError):
        GPT2.encode_with_unstable("<|end|>")


# tiktoken


def fuzzed(rng: random.Random, count: int) -> list[str]:
    pools = [
        " \t\n\r\x85\u3000",
        "'\u2019",
        "sdmtlvre",
        "0123\u00bd",
        "abn",
        "ABZ",
        "\u4e2d\u6587\u00e9",
        "\u0301",
        "!/.,<|>",
    ]
    parts = ["".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(0, 7))) for _ in range(count)]
    return [
        part + rng.choice(["", "", *SPECIALS, "ban", " wxy", " vwx", "vwx", "abc", "\n ", " <|endoftext|>", "  "])
        for part in parts
    ]


def assert_same(ours, theirs, texts: list[str], rng: random.Random) -> None:
    for text in texts:
        for how in ({"allowed_special": "all"}, {"disallowed_special": ()}):
            stable, completions = theirs.encode_with_unstable(text, **how)
            assert ours.encode_with_unstable(text, **how) == (stable, sorted(completions)), (text, how)
        data = text.encode() + bytes(rng.choices(range(128, 256), k=rng.randint(1, 3))) + text[:1].encode()
        assert ours.encode_bytes(data) == theirs._encode_bytes(data), data


@pytest.mark.oracle
@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "llama3", "o200k"])
def test_tiktoken_gives_the_same_for_learned_merges(pattern):
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed: pip install -e '.[oracle]'")
    ours, rng = learned(pattern), random.Random(4)
    theirs = tiktoken.Encoding(
        "learned", pat_str=PATTERNS[pattern].regex, mergeable_ranks=ours.ranks, special_tokens=SPECIALS
    )
    assert_same(ours, theirs, fuzzed(rng, 1500), rng)


@pytest.mark.slow
@pytest.mark.oracle
@pytest.mark.parametrize(
    ("name", "pattern"), [("r50k_base", "gpt2"), ("cl100k_base", "cl100k"), ("o200k_base", "o200k")]
)
def test_tiktoken_gives_the_same_for_its_own_vocabularies(data_file, name, pattern):
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed: pip install -e '.[oracle]'")
    lines = data_file(f"encodings/{name}.tiktoken").read_bytes().splitlines()
    ranks = {b64decode(token): int(rank) for token, rank in (line.split() for line in lines)}
    ours, rng = get_encoding(name), random.Random(6)
    theirs = tiktoken.Encoding(
        name, pat_str=PATTERNS[pattern].regex, mergeable_ranks=ranks, special_tokens=ours.specials.ids
    )
    assert_same(ours, theirs, fuzzed(rng, 25), rng)
