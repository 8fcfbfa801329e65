"""tokenizer.json of BERT's kind: a folder that transformers saved, other spellings of the same, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tinyllm.errors import DataError
from tinyllm.tokenizer.files import load
from tinyllm.tokenizer.wordpiece import WordPiece

FOLDER = Path(__file__).parents[2] / "frozen" / "wordpiece"  # make_wordpiece.py tells how it was made
SHA256 = {
    "expected.json": "4ade8a36eaaf3428294d2f144d9d62417f36215d7c48f3f9b9e19601b244513d",
    "tokenizer.json": "20e72fd4117041c838721b65d9898b2b2fb04c1142fc32af8564921aa5ffca70",
    "tokenizer_config.json": "85b3d8b40e75dca7aa02142e5769fa1f73f949e5d5f32c045500984229e7a0a0",
}


@pytest.fixture
def changed(tmp_path):
    """Write the file with a change."""

    def write(change):
        saved = json.loads((FOLDER / "tokenizer.json").read_text())
        change(saved)
        path = tmp_path / "tokenizer.json"
        path.write_text(json.dumps(saved))
        return path

    return write


def part(key, **values):
    return lambda saved: saved[key].update(values)


def top(**values):
    return lambda saved: saved.update(values)


def test_the_files_are_the_ones_that_were_made():
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.iterdir()} == SHA256


def test_ids_are_those_of_transformers():
    expected = json.loads((FOLDER / "expected.json").read_text())
    tokenizer = load(FOLDER)
    assert isinstance(tokenizer, WordPiece)
    assert [tokenizer.encode(text) for text in expected["texts"]] == expected["ids"]
    assert tokenizer.encode("the owl", "owls") == expected["pair"]
    assert list(tokenizer.special_tokens) == ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]


def test_it_equals_the_vocabulary_as_it_was_saved_before(tmp_path):
    load(FOLDER).save(tmp_path / "vocab.txt")
    assert load(tmp_path) == load(FOLDER)


@pytest.mark.parametrize(
    "change",
    [
        lambda saved: [saved["model"].pop(key) for key in ("type", "unk_token", "continuing_subword_prefix")],
        top(post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}),
        top(decoder=None, truncation={"max_length": 5}, padding={"pad_token": "[PAD]", "strategy": {"Fixed": 5}}),
    ],
)
def test_other_ways_to_say_the_same(changed, change):
    assert load(changed(change)) == load(FOLDER)


def test_settings_are_taken_over(changed):
    tokenizer = load(changed(part("normalizer", lowercase=False, strip_accents=True)))
    assert (tokenizer.lowercase, tokenizer.strip_accents) == (False, True)
    assert load(changed(part("model", max_input_chars_per_word=3))).encode("the unaffable") == [2, 5, 1, 3]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (part("model", continuing_subword_prefix="@@"), "continuing_subword_prefix '@@' is not supported"),
        (part("model", vocab={"a": 0}), ", the token for unknown words, is not among the 1"),
        (part("model", vocab={"[UNK]": 0, "a": 0}), "have the same id, 0"),
        (part("model", vocab={"[UNK]": 0, "a": 2}), "'a' has id 2 where 1 is next"),
        (part("model", vocab=["[UNK]"]), "vocab: is a list, expected an object"),
        (part("normalizer", clean_text=False), "clean_text false"),
        (part("normalizer", handle_chinese_chars=False), "handle_chinese_chars false"),
        (part("normalizer", type="Lowercase"), "normalizer: 'Lowercase' is not supported, BertNormalizer is"),
        (part("pre_tokenizer", type="Whitespace"), "pre_tokenizer: 'Whitespace' is not supported"),
        (part("decoder", type="ByteLevel"), "decoder: 'ByteLevel' is not supported"),
        (part("post_processor", type="RobertaProcessing"), "post_processor: 'RobertaProcessing' is not supported"),
        (part("post_processor", single=[{"Sequence": {"id": "A"}}]), "another frame than BERT's"),
        (part("post_processor", pair=[{"Sequence": {"id": "A"}}]), "another frame than BERT's"),
        (part("post_processor", single=[{"Sequence": {"id": "A"}}, 1, None]), "another frame than BERT's"),
        (top(post_processor={"type": "BertProcessing", "sep": [], "cls": 5}), "does not say what stands around"),
        (lambda saved: saved["added_tokens"][4].update(content="<e1>"), "the added token '<e1>' is not supported"),
        (top(normalizer=None), "normalizer: is null, expected an object"),
    ],
)
def test_what_it_cannot_do_is_refused(changed, change, line):
    with pytest.raises(DataError, match=line):
        load(changed(change))


def test_it_has_no_pattern(changed):
    with pytest.raises(DataError, match="is no byte-level BPE"):
        load(FOLDER, pattern="gpt2")
