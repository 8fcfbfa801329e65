"""Files of other tools: their owners read what we write, and we read what they write, with equal ids."""

from __future__ import annotations

import dataclasses
import json
from binascii import a2b_base64

import numpy as np
import pytest

from tinyllm.tokenizer import PATTERNS, Encoding, get_encoding, split
from tinyllm.tokenizer.bytepair import train
from tinyllm.tokenizer.files import load, save
from tinyllm.tokenizer.files.huggingface import to_json
from tinyllm.tokenizer.split import SPELLINGS

pytestmark = pytest.mark.oracle
SPECIALS = ("<|endoftext|>", "<|a|>", "<|a|>>", "<\u4e2d>")
SONG = "The owl and the pussycat went to sea in a beautiful pea-green boat, they'll take 1234 honey\n\n" * 3
PARTS = [
    *SONG.split(" ")[:18], *" \n\r\t'123/!.", "  ", " \n", "\r\n", "'s", "'LL", "'S", "'\u017f", "\u0301", "\u2019s",
    "\u00e9", "\u00c9", "\u01c5", "\u02b0", "\u4e2d\u6587", "\u0928\u093f", "\u0e01\u0e31", "\xa0", "\x85", "\x1c",
    "\u200b", "\u2028", "\u3000", "\U0001f600", "\u00bd", "\u0663", "HELLOworld", "ABC", "aaaa", "12345", *SPECIALS,
    "<|a", "[new]",
]  # fmt: skip


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Texts rich in borders."""
    rng = np.random.default_rng(3)
    return ["".join(rng.choice(PARTS, size=rng.integers(0, 10))) for _ in range(4000)]


def learned(pattern: str) -> tuple[dict[bytes, int], list[tuple[bytes, bytes]]]:
    words: dict[bytes, int] = {}
    for piece in split(SONG, pattern):
        words[piece.encode()] = words.get(piece.encode(), 0) + 1
    merges = [(merge.left, merge.right) for merge in train(words, 340)]
    tokens = [bytes((byte,)) for byte in range(256)] + [left + right for left, right in merges]
    return {token: i for i, token in enumerate(tokens)}, merges


def make(name: str) -> Encoding:
    """By pattern; "whole" has tokens that no merge makes, "holes" ids that stand for nothing, "nfc" normalizes."""
    pattern = PATTERNS[{"whole": "llama3", "holes": "gpt2", "nfc": "gpt2", "shuffled": "gpt2"}.get(name, name)]
    ranks, merges = learned(pattern.name)
    if name == "nfc":
        pattern = dataclasses.replace(pattern, normalize="NFC")
    if name == "shuffled":
        ids = np.random.default_rng(5).permutation(len(ranks)).tolist()
        ranks = dict(zip(ranks, ids, strict=True))
    if name == "whole":
        ranks |= {b"HELLOworld": 700, "\u0301\u00e9".encode(): 701}
    step = 13 if name == "holes" else 1
    specials = {special: len(ranks) + 500 * (name == "whole") + step * i for i, special in enumerate(SPECIALS)}
    return Encoding(
        name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials, merges=merges,
        ignore_merges=name == "whole",
    )  # fmt: skip


NAMES = (*PATTERNS, "whole", "holes", "nfc", "shuffled")


def hold(expected: Encoding, encode, texts: list[str]) -> None:
    """Hold a tokenizer against an encoding that recognizes all special tokens."""
    for text in texts:
        assert encode(text) == expected.encode(text, allowed_special="all"), text


@pytest.mark.parametrize("name", NAMES)
def test_tokenizers_reads_what_we_write(name, texts, tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="the tokenizers package is the owner of tokenizer.json")
    encoding = make(name)
    save(encoding, tmp_path, "huggingface")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    hold(encoding, lambda text: theirs.encode(text, add_special_tokens=False).ids, texts)
    for text in texts[:200]:
        ids = encoding.encode(text, allowed_special="all")
        assert theirs.decode(ids, skip_special_tokens=False) == encoding.decode(ids)


@pytest.mark.parametrize("name", ["gpt2", "cl100k", "whole", "holes"])
def test_transformers_reads_what_we_write(name, texts, tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers opens folders with a tokenizer.json")
    encoding = make(name)
    save(encoding, tmp_path, "huggingface")
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    hold(encoding, lambda text: theirs.encode(text, add_special_tokens=False), texts[:1500])
    for text in [*texts[:200], "a , b ! it 's"]:  # no spaces are tidied away
        ids = encoding.encode(text, allowed_special="all")
        assert theirs.decode(ids) == encoding.decode(ids)


@pytest.mark.parametrize("name", ["gpt2", "holes", "shuffled"])
def test_transformers_reads_the_pair_that_we_write(name, texts, tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers' GPT2Tokenizer is an owner of the pair")
    encoding = make(name)
    encoding = Encoding(  # the class knows <|endoftext|> only
        name, pat_str="gpt2", mergeable_ranks=encoding.ranks, merges=encoding.merges,
        special_tokens={"<|endoftext|>": encoding.eot_token},
    )  # fmt: skip
    save(encoding, tmp_path, "gpt2")
    theirs = transformers.GPT2Tokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    hold(encoding, theirs.encode, texts[:1500])


@pytest.mark.parametrize("name", [name for name in PATTERNS if name not in ("none", "qwen2")])
def test_tiktoken_reads_what_we_write(name, texts, tmp_path, monkeypatch):
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is the owner of .tiktoken files")
    from tiktoken.load import load_tiktoken_bpe

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    encoding = make(name)
    ranks = load_tiktoken_bpe(str(save(encoding, tmp_path / "mine.tiktoken")))
    theirs = tiktoken.Encoding(
        "mine", pat_str=encoding.pattern.regex, mergeable_ranks=ranks, special_tokens=encoding.specials.ids
    )
    hold(encoding, lambda text: theirs.encode(text, allowed_special="all"), [t for t in texts if "<|a|>>" not in t])


READ = [regex for regex in SPELLINGS if "{1,3}+" not in regex]  # see test_a_regex_that_is_read_otherwise_is_refused


@pytest.mark.parametrize("use_regex", [True, False])
def test_we_read_what_tokenizers_trains_with_byte_level_alone(use_regex, texts, tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="the tokenizers package is the owner of tokenizer.json")
    pre = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)
    check_what_they_train(tokenizers, pre, False, texts, tmp_path)


@pytest.mark.parametrize("nfc", [False, True])
@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize("regex", READ)
def test_we_read_what_tokenizers_trains_with_a_split(regex, removed, nfc, texts, tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="the tokenizers package is the owner of tokenizer.json")
    how = ("removed", True) if removed else ("isolated", False)
    cut = tokenizers.pre_tokenizers.Split(tokenizers.Regex(regex), *how)
    last = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    check_what_they_train(tokenizers, tokenizers.pre_tokenizers.Sequence([cut, last]), nfc, texts[:1000], tmp_path)


def check_what_they_train(tokenizers, pre, nfc, texts, tmp_path):
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    theirs.pre_tokenizer = pre
    theirs.decoder = tokenizers.decoders.ByteLevel()
    if nfc:
        theirs.normalizer = tokenizers.normalizers.NFC()
    theirs.train_from_iterator(
        [SONG, *texts[:100]],
        tokenizers.trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<|endoftext|>", "<|a|>"],
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if not nfc:
        theirs.add_tokens(["[new]", "<\u4e2d>"])  # which are looked for in the normalized text
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = load(tmp_path)
    for text in texts:
        assert ours.encode(text, allowed_special="all") == theirs.encode(text, add_special_tokens=False).ids, text


@pytest.mark.parametrize("regex", SPELLINGS)
def test_a_regex_that_is_read_otherwise_is_refused(regex, texts):
    """Of every known spelling, either tokenizers cuts as the named pattern does, or we do not read it from there."""
    tokenizers = pytest.importorskip("tokenizers", reason="the tokenizers package is the owner of tokenizer.json")
    from tinyllm.tokenizer.files.huggingface import _AS_READ

    cut = tokenizers.pre_tokenizers.Split(tokenizers.Regex(regex), "isolated")
    pattern = dataclasses.replace(SPELLINGS[regex], normalize="")
    equal = all([piece for piece, _ in cut.pre_tokenize_str(text)] == split(text, pattern) for text in texts)
    assert equal == (regex in _AS_READ)


def test_ids_that_a_file_says_and_tokenizers_does_not_give_are_refused(tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="the tokenizers package is the owner of tokenizer.json")
    from tinyllm.errors import DataError

    saved = to_json(make("holes"))
    del saved["model"]["vocab"]["<|a|>"]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(saved))
    wanted = next(token["id"] for token in saved["added_tokens"] if token["content"] == "<|a|>")
    given = tokenizers.Tokenizer.from_file(str(path)).token_to_id("<|a|>")
    assert given != wanted
    with pytest.raises(DataError, match=f"'<|a|>' has id {wanted}, but tokenizers makes it {given}"):
        load(path)


# OpenAI's own vocabularies


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "cl100k_base", "o200k_harmony"])
def test_openais_vocabularies_go_through_transformers(name, texts, data_file, tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers opens folders with a tokenizer.json")
    file = {"gpt2": "r50k_base", "o200k_harmony": "o200k_base"}.get(name, name)
    encoding = get_encoding(name, data_file(f"encodings/{file}.tiktoken"))
    save(encoding, tmp_path, "huggingface")
    theirs, again = transformers.AutoTokenizer.from_pretrained(str(tmp_path)), load(tmp_path)
    hold(encoding, lambda text: theirs.encode(text, add_special_tokens=False), texts)
    hold(encoding, lambda text: again.encode(text, allowed_special="all"), texts[:500])
    for i in list(range(0, encoding.n_vocab, 97)):
        if encoding._tokens[i] is not None:  # ids between the special tokens stand for nothing
            assert theirs.decode([i]) == encoding.decode([i])


def test_the_published_pair_is_what_tiktoken_has(texts, data_file):
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is the owner of GPT-2's vocabulary")
    ours = load(data_file("gpt2/encoder.json"))
    lines = data_file("encodings/r50k_base.tiktoken").read_bytes().splitlines()
    ranks = {a2b_base64(token): int(rank) for token, rank in (line.split() for line in lines)}
    theirs = tiktoken.Encoding(
        "gpt2", pat_str=PATTERNS["gpt2"].regex, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 50256}
    )
    hold(ours, lambda text: theirs.encode(text, allowed_special="all"), texts)
