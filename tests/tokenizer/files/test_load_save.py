"""What is this file, and may that one be replaced?"""

from __future__ import annotations

import json
import os
import pickle
import struct

import pytest

from tinyllm import atomic
from tinyllm.errors import CheckpointError, ConfigError, DataError
from tinyllm.tokenizer import CharTokenizer, Encoding
from tinyllm.tokenizer.files import FORMATS, load, save
from tinyllm.tokenizer.files.reading import Source
from tinyllm.tokenizer.files.recognizing import recognize
from tinyllm.tokenizer.scores import ScoredBPE
from tinyllm.tokenizer.wordpiece import WordPiece

BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "Owl", "##s"]


def scored():
    return ScoredBPE(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), " ", "a"], [0.0] * 261)


def test_every_format_is_told_by_its_content(made, tmp_path):
    """Under a name that says nothing."""
    found = {}
    for name in ("tinyllm", "tiktoken", "huggingface"):
        path = save(made("merges"), tmp_path / f"{name}.json", name)
        found[name] = recognize(Source.read(path.rename(tmp_path / name)))
    save(made("merges"), tmp_path / "pair", "gpt2")
    for path in (tmp_path / "pair").iterdir():
        assert recognize(Source.read(path.rename(tmp_path / path.stem))) == "gpt2"
    (tmp_path / "minbpe").write_text("minbpe v1\n\n0\n")
    WordPiece(BERT).save(tmp_path / "wordpiece")
    scored().save(tmp_path / "llama2c")
    for name in ("minbpe", "wordpiece", "llama2c"):
        found[name] = recognize(Source.read(tmp_path / name))
    bert = {"model": {"type": "WordPiece", "vocab": {}}}
    (tmp_path / "bert").write_text(json.dumps(bert), encoding="utf-8")
    found["bert"] = recognize(Source.read(tmp_path / "bert"))
    assert found == {name: name for name in FORMATS if name != "gpt2"}


def test_other_tokenizers_are_opened_by_their_own_classes(tmp_path):
    WordPiece(BERT).save(tmp_path / "vocab.txt")
    scored().save(tmp_path / "tokenizer.bin")
    assert load(tmp_path / "vocab.txt").encode("the owls") == [2, 4, 1, 3]
    assert load(tmp_path / "tokenizer.bin") == scored()
    for path in ("vocab.txt", "tokenizer.bin"):
        with pytest.raises(DataError, match="is no byte-level BPE"):
            load(tmp_path / path, pattern="gpt2")


def test_case_is_a_setting_beside_the_vocabulary(tmp_path):
    WordPiece(BERT).save(tmp_path / "vocab.txt")
    config = tmp_path / "tokenizer_config.json"
    config.write_text('{"do_lower_case": false, "strip_accents": null}')
    assert load(tmp_path).encode("the Owls") == [2, 4, 5, 6, 3]
    config.write_text('{"do_lower_case": "no"}')
    with pytest.raises(DataError, match=r"tokenizer_config\.json: do_lower_case: is a string"):
        load(tmp_path)
    config.write_text('{"tokenize_chinese_chars": false}')
    with pytest.raises(DataError, match="tokenize_chinese_chars"):
        load(tmp_path)


def test_a_folder_is_opened_by_what_it_holds(made, tmp_path):
    with pytest.raises(DataError, match="no tokenizer is in this folder"):
        load(tmp_path)
    save(made("merges"), tmp_path / "a.tiktoken")
    assert load(tmp_path, pattern="gpt2").name == "a"
    save(made("o200k"), tmp_path / "b.tiktoken")
    with pytest.raises(ConfigError, match=r"holds several tokenizers: a\.tiktoken, b\.tiktoken"):
        load(tmp_path, pattern="gpt2")
    save(made("llama3"), tmp_path, "huggingface")
    assert load(tmp_path).pattern.name == "llama3"


def test_a_run_folder_has_a_file_of_ours_under_the_name_of_theirs(tmp_path):
    atomic.write_json(tmp_path / "tokenizer.json", CharTokenizer("abc").to_dict())
    assert load(tmp_path) == CharTokenizer("abc")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"GGUF\x03\x00\x00\x00", "is a GGUF file"),
        (b"PK\x03\x04....", "is a zip archive"),
        (b"\x1f\x8b\x08....", "is packed by gzip"),
        (pickle.dumps({"a": 1}, 4), "is a pickle, which could run any program and is never opened"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "is a pointer of Git LFS"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"\n\x0e\n\x05<unk>\x15\x00", "is a SentencePiece model"),
        (b"once upon a time\nthere was", "is no tokenizer that is known"),
        (bytes(range(128, 256)) * 9, "is no tokenizer that is known"),
        (b"{", "line 1: is not JSON"),
        (b"{}", "is JSON, but no tokenizer that is known"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": 1, "a": 2}', "the key 'a' is there twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b'{"a": ' + b"[" * 100_000, "is JSON nested too deeply|is not JSON"),
        (b'{"kind": "words"}', "there is no kind 'words'"),
        (b'{"a": "\xff"}', "line 1: byte 7 is not UTF-8"),
        (struct.pack("<ifi", 7, 0.5, 5) + b"<unk>", r"file: .* Try: a tokenizer\.bin of llama2\.c"),
    ],
)
def test_what_is_no_tokenizer_is_told_apart(data, line, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(DataError, match=line) as error:
        load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_what_is_no_file(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        load(tmp_path / "nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DataError, match="there is no such file"):
            load(tmp_path / "pipe")
    sparse = tmp_path / "sparse"
    with open(sparse, "wb") as file:
        file.truncate(2**28 + 1)
    with pytest.raises(DataError, match="has 268,435,457 bytes"):
        load(sparse)


# writing


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("tokenizer.json", "is the name of two formats.*format="),
        ("folder", "does not say which format.*format="),
        ("x.model", "does not say which format"),
    ],
)
def test_a_path_that_does_not_say_the_format(made, path, line, tmp_path):
    with pytest.raises(ConfigError, match=line):
        made("merges").save(tmp_path / path)


def test_a_format_that_is_not_there(made, tmp_path):
    with pytest.raises(ConfigError, match=r"no format 'hugginface'.*Try: huggingface"):
        save(made("merges"), tmp_path / "x", "hugginface")
    with pytest.raises(ConfigError, match="is a folder"):
        save(made("merges"), tmp_path, "tiktoken")
    with pytest.raises(CheckpointError, match="make the folder first"):
        save(made("merges"), tmp_path / "nowhere" / "x.tiktoken")
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="file exists"):
        save(made("merges"), tmp_path / "file", "huggingface")


def test_what_could_not_be_read_again_is_not_written(made, tmp_path):
    parts = {"mergeable_ranks": made("merges").ranks, "special_tokens": {"<far>": 1 << 22}}
    with pytest.raises(ConfigError, match="has ids up to 4,194,304"):
        save(Encoding("far", pat_str="gpt2", **parts), tmp_path / "far.json")


def test_nothing_is_overwritten_unless_asked_for(made, tmp_path):
    path = save(made("merges"), tmp_path / "mine.json")
    before = path.read_bytes()
    save(made("merges"), path)  # the same once more does no harm
    with pytest.raises(ConfigError, match=r"is there already and holds another vocabulary.*overwrite=True"):
        save(made("llama3"), path)
    assert path.read_bytes() == before
    save(made("llama3"), path, overwrite=True)
    assert load(path) == made("llama3")


@pytest.mark.parametrize("format", ["tinyllm", "huggingface", "tiktoken"])
@pytest.mark.parametrize(
    "content", ['{"name": "a package"}', "a diary", json.dumps(CharTokenizer("abc").to_dict()), "\x00\xff", ""]
)
def test_what_is_of_another_kind_is_never_overwritten(made, format, content, tmp_path):
    """The tokenizer.json of a training run, for one: its model would be lost."""
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"holds something else.*move it away"):
        save(made("merges"), path, format, overwrite=True)
    assert path.read_text() == content and list(tmp_path.iterdir()) == [path]


def test_settings_of_a_model_are_not_lost(made, tmp_path):
    config = tmp_path / "tokenizer_config.json"
    config.write_text('{"tokenizer_class": "GPT2Tokenizer", "chat_template": "precious"}')
    with pytest.raises(ConfigError, match=r"tokenizer_config\.json: is there already and holds something else"):
        save(made("merges"), tmp_path, "huggingface", overwrite=True)
    assert list(tmp_path.iterdir()) == [config]  # neither file was written
    config.unlink()
    save(made("merges"), tmp_path, "huggingface")
    save(made("o200k"), tmp_path, "huggingface", overwrite=True)
    assert load(tmp_path).pattern.name == "o200k"


def test_a_full_disk_leaves_what_was_there(made, tmp_path, monkeypatch):
    path = save(made("merges"), tmp_path / "mine.tiktoken")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(CheckpointError, match="no space left on device"):
        save(made("o200k"), path, overwrite=True)
    monkeypatch.undo()
    assert load(path, pattern="gpt2").ranks == made("merges").ranks
    assert list(tmp_path.iterdir()) == [path]


def test_from_one_format_to_the_next_and_on(made, same, tmp_path):
    """All of them in a row, and the ids are still those of the first."""
    encoding = made("merges")
    at = encoding
    for i, format in enumerate(["gpt2", "tinyllm", "tiktoken", "huggingface", "tinyllm", "huggingface", "gpt2"]):
        path = tmp_path / (f"{i}.json" if format == "tinyllm" else f"{i}")
        at = load(save(at, path, format), **({"pattern": "gpt2", "special_tokens": encoding.specials.ids}
                  if format == "tiktoken" else {}))  # fmt: skip
        assert isinstance(at, Encoding)
    same(encoding, at)
