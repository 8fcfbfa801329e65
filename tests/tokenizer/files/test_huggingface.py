"""tokenizer.json: written so that it comes back, read only where we do the same. The oracle is in tests/oracle."""

from __future__ import annotations

import json
import re

import pytest

from tinyllm.errors import ConfigError, DataError
from tinyllm.tokenizer import PATTERNS, Encoding
from tinyllm.tokenizer.files import load, save
from tinyllm.tokenizer.files.huggingface import to_json


def test_there_and_back(encoding, same, tmp_path):
    folder = save(encoding, tmp_path / "model", "huggingface")
    assert sorted(path.name for path in folder.iterdir()) == ["tokenizer.json", "tokenizer_config.json"]
    for path in (folder, folder / "tokenizer.json"):
        again = load(path)
        same(encoding, again)
        assert (again.name, again.pattern, again.ignore_merges) == ("model", encoding.pattern, encoding.ignore_merges)


def test_the_settings_beside_it(made, tmp_path):
    save(made("merges"), tmp_path, "huggingface")
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["clean_up_tokenization_spaces"] is False and config["eos_token"] == "<|endoftext|>"
    with pytest.raises(DataError, match=r"holds settings, not the tokenizer.*tokenizer\.json beside it"):
        load(tmp_path / "tokenizer_config.json")


def test_a_file_alone(made, same, tmp_path):
    path = save(made("llama3"), tmp_path / "llama.json", "huggingface")
    assert [path] == list(tmp_path.iterdir())
    same(made("llama3"), load(path))
    assert load(path).name == "llama"


def test_patterns_that_tokenizers_could_read_otherwise_are_refused(tmp_path):
    ranks = {bytes((i,)): i for i in range(256)}
    encoding = Encoding("mine", pat_str=re.compile(r"\w+|\W"), mergeable_ranks=ranks)
    with pytest.raises(ConfigError, match="'custom' is none of the published ones"):
        save(encoding, tmp_path / "model", "huggingface")


def test_no_pattern_is_written_with_what_other_readers_take_otherwise():
    """Possessive quantifiers and $ mean other things to other engines."""
    ranks = {bytes((i,)): i for i in range(256)}
    for name in PATTERNS:
        text = json.dumps(to_json(Encoding(name, pat_str=name, mergeable_ranks=ranks))["pre_tokenizer"])
        assert not re.search(r"[+*?]\+|\d\}\+|\$", text), name
    assert re.search(r"[+*?]\+", PATTERNS["cl100k"].regex)


@pytest.fixture
def changed(made, tmp_path):
    """Write a tokenizer.json that a function has changed."""

    def write(change, name="merges"):
        saved = json.loads(json.dumps(to_json(made(name))))
        change(saved)
        path = tmp_path / "tokenizer.json"
        path.write_text(json.dumps(saved))
        return path

    return write


def model(**values):
    return lambda saved: saved["model"].update(values)


def top(**values):
    return lambda saved: saved.update(values)


def added(**values):
    return lambda saved: saved["added_tokens"][0].update(values)


def step(at, **values):
    return lambda saved: saved["pre_tokenizer"]["pretokenizers"][at].update(values)


def byte_level(**values):
    return {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True} | values


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda saved: saved["model"].pop("type"), "merges"),  # as older versions wrote it
        (lambda saved: saved["model"].update(merges=[" ".join(pair) for pair in saved["model"]["merges"]]), "merges"),
        (lambda saved: [saved["model"].pop(key) for key in ("ignore_merges", "byte_fallback", "dropout")], "merges"),
        (top(post_processor={"type": "TemplateProcessing"}, truncation={"max_length": 5}, padding={}), "merges"),
        (top(pre_tokenizer={"type": "Sequence", "pretokenizers": [byte_level()]}), "merges"),
        (step(0, behavior="Removed", invert=True), "llama3"),  # as conversions from tiktoken have it
        (step(0, pattern={"Regex": PATTERNS["cl100k"].regex.replace("{1,3}+", "{1,3}")}), "cl100k"),
        (top(normalizer={"type": "Sequence", "normalizers": []}), "merges"),
        (lambda saved: [token.update(normalized=True) for token in saved["added_tokens"]], "merges"),
    ],
)
def test_other_ways_to_say_the_same(changed, made, same, change, name):
    same(made(name), load(changed(change, name)))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (model(type="Unigram"), "Unigram' is not supported"),
        (model(type="WordPiece"), "normalizer: is null, expected an object"),
        (model(type="WordLevel"), "WordLevel' is not supported"),
        (model(byte_fallback=True), "byte_fallback"),
        (model(continuing_subword_prefix="##"), "continuing_subword_prefix '##'"),
        (model(end_of_word_suffix="</w>"), "end_of_word_suffix '</w>'"),
        (model(dropout=0.1), "dropout makes ids random"),
        (top(normalizer={"type": "NFKC"}), "normalizer: NFKC is not supported"),
        (top(normalizer={"type": "Prepend", "prepend": "\u2581"}), "normalizer: Prepend is not supported"),
        (
            top(normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}),
            "Lowercase is not supported",
        ),
        (top(pre_tokenizer=None), "nothing is not supported"),
        (top(pre_tokenizer={"type": "Metaspace"}), "Metaspace is not supported; it puts a sign for each space"),
        (top(pre_tokenizer={"type": "Whitespace"}), "Whitespace is not supported"),
        (top(pre_tokenizer=byte_level(add_prefix_space=True)), "add_prefix_space"),
        (
            top(pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Digits"}, byte_level()]}),
            "Digits is not supported",
        ),
        (
            top(pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Split"}, byte_level()]}),
            "Split, ByteLevel with use_regex is not supported",
        ),
        (top(decoder={"type": "WordPiece"}), "decoder WordPiece is not supported"),
        (added(lstrip=True), "has lstrip"),
        (added(single_word=True), "has single_word"),
        (added(id=7), "has id 7, but tokenizers makes it"),
        (lambda saved: saved["model"]["vocab"].pop("<|endoftext|>"), "has id 34[0-9], but tokenizers makes it 34[0-9]"),
        (added(content="\u4e2dx"), "'\u4e2dx' has id 340, but tokenizers makes it 34[0-9]"),
        (lambda saved: saved["added_tokens"].insert(0, {"id": 344, "content": ""}), "a special token is empty"),
        (lambda saved: saved["added_tokens"].append(saved["added_tokens"][0]), "'<|endoftext|>' is there twice"),
        (lambda saved: saved["added_tokens"][1].update(normalized=True), "they overlap, and one is normalized"),
        (top(added_tokens=[5]), r"added_tokens\[0\]: is 5, expected an object"),
        (lambda saved: saved["model"]["vocab"].update({"two words": 900}), "'two words' is not written in the byte"),
        (lambda saved: saved["model"]["vocab"].pop("a"), "single bytes are no tokens, 0x61.*initial_alphabet"),
        (lambda saved: saved["model"]["vocab"].update({"aa": 5}), "have the same id, 5"),
        (lambda saved: saved["model"]["merges"].append(["q", "q"]), "b'q' and b'q', but b'qq' is no token"),
        (lambda saved: saved["model"]["merges"].append(["q"]), r"merges\[8[0-9]\]: a list of 1 is no merge"),
        (lambda saved: saved["model"]["merges"].append([1, 2]), r"merges\[8[0-9]\]: the token 1 is not written"),
        (model(vocab=[]), "vocab: is a list, expected an object"),
        (top(model=3), "model: is a whole number, expected an object"),
    ],
)
def test_what_is_refused_is_named(changed, change, line):
    path = changed(change)
    with pytest.raises(DataError, match=line) as error:
        load(path)
    assert str(error.value).startswith(f"E-DATA {path}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (step(0, behavior="MergedWithNext"), "behavior 'MergedWithNext' and invert False"),
        (step(0, behavior="Removed"), "behavior 'Removed' and invert False"),
        (step(0, pattern={"String": " "}), "the pattern an object of 1 is none that is known"),
        (step(0, pattern={"Regex": r"\p{Han}"}), r"the pattern '.*Han.*' is none that is known"),
        (step(0, pattern={"Regex": PATTERNS["cl100k"].regex}), r"takes \{1,3\}\+ for any number of digits"),
        (step(1, use_regex=True), "Split, ByteLevel with use_regex is not supported"),
        (lambda saved: saved["pre_tokenizer"]["pretokenizers"].pop(), "Split is not supported; one Split, then"),
    ],
)
def test_splits_that_are_refused(changed, change, line):
    path = changed(change, "llama3")
    with pytest.raises(DataError, match=line):
        load(path)
    if "Regex" in str(change.__closure__):
        assert load(path, pattern="llama3").pattern.name == "llama3"  # whoever knows better may say so


def test_added_tokens_that_are_normalized_before_they_are_found(changed):
    with pytest.raises(DataError, match="is normalized before it is found"):
        load(changed(added(normalized=True), "nfc"))


def test_an_added_token_that_merges_make_too(changed):
    """Training on text that holds it makes it twice; but it is found before anything merges."""

    def change(saved, normalizer=None):
        vocab = saved["model"]["vocab"]
        vocab |= {"<|": 900, "<|en": 901, "en": 902, "d|": 903, "d|>": 904, "<|end|>": 905, "<|end|>!": 906}
        saved["model"]["merges"] += ["< |", "e n", "<| en", "d |", "d| >", "<|en d|>", "<|end|> !"]
        saved["added_tokens"].append({"id": 905, "content": "<|end|>", "normalized": False})
        saved["normalizer"] = normalizer

    encoding = load(changed(change))
    assert encoding.encode("<|end|><|en", allowed_special="all") == [905, 900, 902]
    with pytest.raises(DataError, match=r"is of b'<\|en' and b'd\|>', but b'<\|end\|>' is no token"):
        load(changed(lambda saved: change(saved, {"type": "NFC"})))
