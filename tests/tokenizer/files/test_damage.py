"""Valid files, damaged at random: an error of ours in one line, or a tokenizer that works; never anything else."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinyllm.errors import ConfigError, DataError, SpecialTokenError
from tinyllm.tokenizer.files import gguf, load, save
from tinyllm.tokenizer.scores import ScoredBPE
from tinyllm.tokenizer.wordpiece import WordPiece

BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "owl", "##s"]
FILES = {  # name -> the format to save in, and what of
    "own.json": ("tinyllm", "merges"),
    "tokenizer.json": ("huggingface", "llama3"),
    "gpt2.json": ("huggingface", "merges"),
    "vocab.json": ("gpt2", "merges"),
    "merges.txt": ("gpt2", "merges"),
    "toy.tiktoken": ("tiktoken", "merges"),
}
OTHERS = ("toy.model", "vocab.txt", "tokenizer.bin", "bert.json")
SAVED = Path(__file__).parents[2] / "frozen" / "wordpiece" / "tokenizer.json"
WEIRD = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.5, float("1e300"), "", "a", "\u0120a", "a b", "\ud800", "\x00",
    "\n", [], [[]], ["a", "a"], ["a", "b", "c"], {}, {"type": "BPE"}, {"a": 0}, "BPE", "ByteLevel", "Sequence",
]  # fmt: skip
BITS = [
    b"", b"\x00", b"\xff", b"\n", b"\r", b" ", b'"', b"{", b"}", b"[", b"]", b",", b":", b"-", b"9" * 30, b"1e999",
    b"NaN", b"null", b"\\ud800", b"\xef\xbb\xbf", b"=", b"#version", b"minbpe v1\n", b"GGUF", b"\x80\x04",
]  # fmt: skip
slow = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40, deadline=None
)


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """The bytes of a valid file of each kind."""
    return {}


def bytes_of(name, made, folder, valid):
    if name not in valid:
        path = folder / name
        if name in FILES:
            format, encoding = FILES[name]
            save(made(encoding), path, format)
        elif name == "toy.model":
            path.write_text("minbpe v1\n\n1\n<|endoftext|> 300\n" + "97 97\n256 97\n257 98\n", encoding="utf-8")
        elif name == "bert.json":
            path.write_bytes(SAVED.read_bytes())
        elif name == "vocab.txt":
            WordPiece(BERT).save(path)
        else:
            bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
            ScoredBPE(["<unk>", "<s>", "</s>", *bytes_, " ", "a", " a"], [0.0] * 262).save(path)
        valid[name] = path.read_bytes()
        other = {"vocab.json": "merges.txt", "merges.txt": "vocab.json"}.get(name)
        if other:
            valid[other] = (folder / other).read_bytes()
    return valid[name]


def check(attempt):
    """Either it works, or it says in one line of ours why not."""
    try:
        tokenizer = attempt()
    except (DataError, ConfigError) as error:
        text = str(error)
        assert "\n" not in text and len(text) < 2500, text
        return error
    with contextlib.suppress(SpecialTokenError, DataError):  # special tokens may be anything now, or missing
        assert isinstance(tokenizer.decode(tokenizer.encode("hello owl, 12\n")), str)
    return None


@pytest.mark.parametrize("name", [*FILES, *OTHERS])
@slow
@given(data=st.data())
def test_damaged_bytes(name, made, tmp_path, valid, data):
    whole = bytes_of(name, made, tmp_path, valid)
    damaged = whole
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged)))
        end = min(len(damaged), at + data.draw(st.sampled_from([0, 1, 2, 7, 100, len(damaged)])))
        damaged = damaged[:at] + data.draw(st.sampled_from(BITS) | st.binary(max_size=4)) + damaged[end:]
    write_with_pair(tmp_path, name, damaged, valid)
    check(lambda: load(tmp_path / name, **({"pattern": "gpt2"} if name == "toy.tiktoken" else {})))


def write_with_pair(folder, name, content, valid):
    other = {"vocab.json": "merges.txt", "merges.txt": "vocab.json"}.get(name)
    if other:
        (folder / other).write_bytes(valid[other])
    (folder / name).write_bytes(content)


def places(value, way=()):
    """All paths into an object of JSON, but only some of those into long lists."""
    yield way
    if isinstance(value, dict):
        for key in [*value][:40]:
            yield from places(value[key], (*way, key))
    elif isinstance(value, list):
        for i in range(min(len(value), 5)):
            yield from places(value[i], (*way, i))


def replace(value, way, new):
    if not way:
        return copy.deepcopy(new)
    inner = value
    for key in way[:-1]:
        inner = inner[key]
    if new is ...:
        del inner[way[-1]]
    else:
        inner[way[-1]] = copy.deepcopy(new)
    return value


@pytest.mark.parametrize("name", [name for name in (*FILES, *OTHERS) if name.endswith(".json")])
@slow
@given(data=st.data())
def test_damaged_structure(name, made, tmp_path, valid, data):
    saved = json.loads(bytes_of(name, made, tmp_path, valid))
    for _ in range(data.draw(st.integers(1, 2))):
        way = data.draw(st.sampled_from([*places(saved)]))
        saved = replace(saved, way, data.draw(st.sampled_from([*WEIRD, ...]) if way else st.sampled_from(WEIRD)))
        if not isinstance(saved, (dict, list)):
            break
    write_with_pair(tmp_path, name, json.dumps(saved).encode(), valid)
    check(lambda: load(tmp_path / name))


@slow
@given(data=st.data())
def test_damaged_metadata(made, data):
    metadata = json.loads(json.dumps(gguf.to_metadata(made("whole"))))
    for _ in range(data.draw(st.integers(1, 3))):
        way = data.draw(st.sampled_from([way for way in places(metadata) if way]))
        new = data.draw(st.sampled_from([*WEIRD, ..., np.arange(3), np.array(["a"])]))
        if way[-1] in (metadata if len(way) == 1 else range(len(metadata[way[0]]))):
            metadata = replace(metadata, way, new)
    check(lambda: gguf.from_metadata(metadata))


@pytest.mark.parametrize("name", [*FILES, *OTHERS])
def test_cut_short_anywhere(name, made, tmp_path, valid):
    """A file of which a part is missing is never taken for a whole one, but where its format cannot tell."""
    whole = bytes_of(name, made, tmp_path, valid)
    survived = []
    for n in np.linspace(0, len(whole) - 2, 60).astype(int):
        write_with_pair(tmp_path, name, whole[:n], valid)
        if check(lambda: load(tmp_path / name, **({"pattern": "gpt2"} if name == "toy.tiktoken" else {}))) is None:
            survived.append(n)
    if name not in ("toy.tiktoken", "toy.model", "vocab.txt"):  # which may end with any line
        assert survived == []
