"""GGUF files: one laid out by hand, round trips, byte-stable writing, hostile headers and thousands of mutants."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import CheckpointError, ConfigError, DTypeError, NaNError, ShapeError
from tinyllm.models.formats.ggml import BLOCK_TYPES, READABLE, Blocks
from tinyllm.models.formats.gguf import FILE_TYPES, parse_gguf, read_gguf, stored_kind, write_gguf
from tinyllm.models.formats.gguf_values import string_bytes as text
from tinyllm.models.formats.gguf_values import value_bytes
from tinyllm.models.formats.llama2c import read_llama2c, write_llama2c

F = np.float32
METADATA = {
    "general.architecture": "llama",
    "general.name": "ein Modell, α",
    "llama.context_length": 512,
    "llama.rope.freq_base": 10000.0,
    "tokenizer.ggml.add_bos_token": True,
    "tokenizer.ggml.tokens": ["<s>", "Ġa", "", "日本"],
    "tokenizer.ggml.token_type": [3, 1, 1, 1],
    "tokenizer.ggml.scores": [0.0, -1.0, -2.5, 1e-3],
    "big": 2**40,
    "less": -5,
}


def weights():
    rng = np.random.default_rng(3)
    shapes = {"token_embd.weight": (5, 64), "blk.0.attn_q.weight": (7, 33), "output_norm.weight": (64,), "one": ()}
    return {name: rng.normal(size=shape).astype(F) for name, shape in shapes.items()}


def header(pairs=(), tensors=(), magic=b"GGUF", version=3, counts=None):
    """A file by hand: pairs are (key, type, value), tensors (name, sizes as in the file, code, offset)."""
    counts = counts or (len(tensors), len(pairs))
    raw = magic + struct.pack("<IQQ", version, *counts)
    for key, kind, value in pairs:
        raw += text(key, "") + value_bytes(value, kind, "")
    for name, sizes, code, offset in tensors:
        raw += text(name, "") + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, code, offset)
    return raw


def padded(raw, alignment=32):
    return raw + bytes(-len(raw) % alignment)


@pytest.fixture
def read(tmp_path):
    def read(raw):
        (tmp_path / "a.gguf").write_bytes(raw)
        return read_gguf(tmp_path / "a.gguf")

    return read


def test_a_file_laid_out_by_hand(read):
    tensors = [("a", (3, 2), 0, 0), ("h", (2,), 1, 32), ("empty", (0, 4), 0, 64), ("q", (32,), 8, 64)]
    raw = padded(header([("general.architecture", "string", "toy"), ("n", "u16", 7)], tensors))
    raw += padded(np.arange(6, dtype="<f4").tobytes()) + padded(b"\x00\x3c\x00\xc0") + b"\x00\x38" + bytes(range(32))
    for end in (b"", bytes(-len(raw) % 32)):  # the last padding may be missing
        file = read(raw + end)
        assert file.metadata == {"general.architecture": "toy", "n": 7}
        assert file.types == {"general.architecture": "string", "n": "u16"}
        assert list(file.tensors) == ["a", "h", "empty", "q"]
        assert file.array("a").tolist() == [[0, 1, 2], [3, 4, 5]]  # sizes are reversed
        assert file.array("h").tolist() == [1, -2]
        assert file.array("empty").shape == (4, 0)
        assert file.array("q").tolist() == [i / 2 for i in range(32)]
        assert not file.array("a").flags.writeable


def test_an_alignment_of_its_own(read):
    for alignment in (1, 4, 256):
        raw = header([("general.alignment", "u32", alignment)], [("a", (1,), 1, 0), ("b", (2,), 0, max(2, alignment))])
        raw = padded(padded(raw, alignment) + b"\x00\x3c", alignment) + np.array([1, 2], "<f4").tobytes()
        file = read(raw)
        assert file.array("a").tolist() == [1] and file.array("b").tolist() == [1, 2]
        assert file.array("b").flags.aligned


@pytest.mark.parametrize("kind", READABLE)
def test_round_trip(tmp_path, kind):
    tensors = weights()
    write_gguf(tmp_path / "a.gguf", METADATA, tensors, kind=kind)
    file = read_gguf(tmp_path / "a.gguf")
    assert list(file.metadata) == list(METADATA) and list(file.tensors) == list(tensors)
    for key, value in METADATA.items():
        again = file.metadata[key]
        if key == "tokenizer.ggml.scores":
            assert np.array_equal(again, np.array(value, F))
        else:
            assert list(again) == value if isinstance(value, list) else again == value
    for name, w in tensors.items():
        stored = file.tensors[name]
        assert stored.type.name == stored_kind(name, w.shape, kind) and stored.shape == w.shape
        assert np.allclose(file.array(name), w, atol=0.4)
        if stored.type.name == "F32":
            assert np.array_equal(file.array(name), w)
    write_gguf(tmp_path / "b.gguf", file.metadata, file.tensors, types=file.types)
    write_gguf(tmp_path / "c.gguf", METADATA, tensors, kind=kind)
    raw = (tmp_path / "a.gguf").read_bytes()
    assert raw == (tmp_path / "b.gguf").read_bytes() == (tmp_path / "c.gguf").read_bytes()


keys = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.text(st.characters(codec="utf-8"), max_size=15)
values = st.one_of(
    st.text(max_size=9),
    st.integers(-(2**63), 2**64 - 1),
    st.booleans(),
    st.floats(width=32, allow_nan=False),
    st.lists(st.text(max_size=9), min_size=1, max_size=4),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
)
shapes = st.lists(st.integers(0, 4), max_size=3).flatmap(lambda s: st.sampled_from([tuple(s), (*s, 32), (*s, 64)]))


@given(st.dictionaries(keys, values, max_size=5), st.dictionaries(names, shapes, max_size=5), st.sampled_from(READABLE))
def test_round_trip_of_anything(tmp_path_factory, metadata, drawn, kind):
    path = tmp_path_factory.mktemp("any") / "a.gguf"
    rng = np.random.default_rng(0)
    tensors = {name: rng.normal(size=shape).astype(F) for name, shape in drawn.items()}
    metadata.pop("general.alignment", None)
    write_gguf(path, metadata, tensors, kind=kind)
    file = read_gguf(path)
    assert {k: list(v) if isinstance(metadata[k], list) else v for k, v in file.metadata.items()} == metadata
    assert {name: blocks.shape for name, blocks in file.tensors.items()} == drawn
    for name, w in tensors.items():
        assert np.allclose(file.array(name), w, atol=0.6)
    first = path.read_bytes()
    write_gguf(path, file.metadata, dict(file.tensors), types=file.types)
    assert path.read_bytes() == first


def test_types_asked_for_and_an_alignment_written(tmp_path):
    path = tmp_path / "a.gguf"
    write_gguf(path, {"general.alignment": 64, "n": 7}, {"a": np.ones(1), "b": np.ones(2)}, types={"n": "i8"})
    file = read_gguf(path)
    assert file.types == {"general.alignment": "u32", "n": "i8"}
    assert path.stat().st_size % 64 == 0 and file.array("b").tolist() == [1, 1]


def test_a_vocabulary_without_weights(tmp_path):
    write_gguf(tmp_path / "a.gguf", METADATA, {})
    assert read_gguf(tmp_path / "a.gguf").tensors == {}


def test_which_block_type_a_tensor_gets():
    assert [stored_kind("blk.0.attn_q.weight", (3, C), "Q4_0") for C in (32, 31)] == ["Q4_0", "F16"]
    assert stored_kind("blk.0.attn_q.weight", (3, 31), "BF16") == "BF16"
    for name, shape in (("output_norm.weight", (32,)), ("position_embd.weight", (3, 32)), ("scale", ())):
        assert stored_kind(name, shape, "Q8_0") == "F32"
    assert FILE_TYPES.keys() == set(READABLE)


def test_types_that_are_listed_and_not_read(read):
    raw = padded(header((), [("w", (256,), 12, 0), ("b", (2,), 0, 160)]))
    file = read(raw + bytes(160) + np.array([1, 2], "<f4").tobytes())
    assert file.tensors["w"].type.name == "Q4_K" and file.array("b").tolist() == [1, 2]
    with pytest.raises(CheckpointError, match="w: Q4_K: values of this type are not read"):
        file.array("w")
    with pytest.raises(CheckpointError, match=r"'bb'.*Try: 'b'"):
        file.array("bb")


A = ("a", (2,), 0, 0)
DATA = bytes(8)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "empty"),
        (b"GG", "begins with"),
        (header(magic=b"GGML"), "begins with b'GGML'"),
        (b"GGUF\3\0", "the version"),
        (header(version=2), "of version 2"),
        (header(version=0x03000000), "big-endian"),
        (header(counts=(2**64 - 1, 0)), "tensors are announced"),
        (header(counts=(0, 2**64 - 1)), "pairs are announced"),
        (header(counts=(1, 0)) + bytes(23), "23 bytes are left"),
        (header(counts=(0, 1)) + bytes(12), "12 bytes are left"),
        (header([("a", "u8", 1), ("a", "u8", 1)]), "'a' is there twice"),
        (header(counts=(0, 1)) + struct.pack("<Q", 2**60) + bytes(20), "at most 65,535"),
        (header(counts=(0, 1)) + text("é", "")[:-1] + bytes(20), "UTF-8"),
        (padded(header((), [A, ("a", (2,), 0, 32)])) + bytes(64), "'a' is there twice"),
        (padded(header((), [("a" * 65, (2,), 0, 0)])) + DATA, "at most 64"),
        (padded(header((), [("a", (1, 1, 1, 1, 1), 0, 0)])) + DATA, "5 axes"),
        (header(counts=(1, 0)) + text("a", "") + struct.pack("<I", 2**32 - 1) + bytes(20), "axes"),
        (padded(header((), [("a", (2,), 4, 0)])) + DATA, "block type 4"),
        (padded(header((), [("a", (2,), 0, 32)])) + bytes(40), "starts at 32"),
        (padded(header((), [A, ("b", (2,), 0, 0)])) + bytes(64), "starts at 0 of the data, expected 32"),
        (padded(header((), [A, ("b", (2,), 0, 64)])) + bytes(96), "starts at 64"),
        (padded(header((), [A, ("b", (2,), 0, 8)])) + bytes(96), "starts at 8"),
        (padded(header((), [A])) + DATA[:-1], "takes 8 bytes of F32, and there are 7"),
        (header((), [A]), "and there are 0"),
        (padded(header((), [A])) + bytes(33), "1 bytes follow"),
        (padded(header()) + bytes(1), "1 bytes follow"),
        (padded(header((), [("a", (33,), 8, 0)])) + bytes(64), "whole number of blocks"),
        (padded(header((), [("a", (), 8, 0)])) + bytes(64), "whole number of blocks"),
        (padded(header((), [("a", (2**63, 2**63, 2**63, 2**63), 0, 0)])) + DATA, "takes"),
        (padded(header((), [("a", (2**32, 2**32), 0, 0)])) + DATA, "takes"),  # 2^64 values: 0 for who counts in u64
        (header([("general.alignment", "u32", 0)]), "power of two"),
        (header([("general.alignment", "u32", 24)]), "power of two"),
        (header([("general.alignment", "u64", 32)]), "power of two"),
        (header([("general.alignment", "string", "32")]), "power of two"),
        (padded(header([("general.alignment", "u32", 2**31)], [A])) + DATA, "there are 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_headers(read, raw, message):
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=message):
            read(raw)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_absent_files(tmp_path):
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(CheckpointError, match="cannot read"):
            read_gguf(path)


NUMBERS = (0, 1, 2, 31, 2**16, 2**31, 2**32 - 1, 2**53, 2**63, 2**64 - 1)


def mutant(raw, rng):
    """Change a few bytes, a number, or the length of a file; most changes fall on the header."""
    raw = bytearray(raw)
    for _ in range(rng.integers(1, 4)):
        raw = raw or bytearray(1)
        at = int(rng.integers(0, len(raw) if rng.random() < 0.2 else min(len(raw), 700)))
        match rng.integers(0, 6):
            case 0:
                raw[at] = rng.integers(0, 256)
            case 1:
                raw[at] ^= 1 << int(rng.integers(0, 8))
            case 2:
                raw[at : at + 8] = struct.pack("<Q", NUMBERS[rng.integers(0, len(NUMBERS))])
            case 3:
                del raw[at : at + int(rng.integers(1, 40))]
            case 4:
                raw[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 40)), np.uint8))
            case 5:
                raw = raw[: max(at, 1)]
    return bytes(raw)


def small_file(path):
    write_gguf(path, METADATA, weights(), kind="Q8_0")
    return path.read_bytes()


def test_mutants_are_read_or_refused(tmp_path):
    """5,000 damaged files: each is refused in one line, or whatever it holds can be read."""
    raw = small_file(tmp_path / "a.gguf")
    rng = np.random.default_rng(11)
    accepted = 0
    for _ in range(5000):
        try:
            file = parse_gguf(memoryview(mutant(raw, rng)), "mutant")
        except CheckpointError as error:
            assert "\n" not in str(error) and len(str(error)) < 600
            continue
        accepted += 1
        for value in file.metadata.values():
            list(value) if hasattr(value, "__len__") else value
        for blocks in file.tensors.values():
            if blocks.type.name in READABLE:
                with np.errstate(invalid="ignore"):  # 0 times an infinite scale
                    blocks.array()
    assert 200 < accepted < 3000


def test_mutants_take_no_memory(tmp_path):
    raw = small_file(tmp_path / "a.gguf")
    rng = np.random.default_rng(12)
    tracemalloc.start()
    try:
        for _ in range(500):
            damaged = mutant(raw, rng)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            with contextlib.suppress(CheckpointError):
                parse_gguf(memoryview(damaged), "mutant")
            assert tracemalloc.get_traced_memory()[1] - before < 50_000 + 4 * len(damaged)
    finally:
        tracemalloc.stop()


def test_opening_reads_no_weight(tmp_path):
    path = tmp_path / "a.gguf"
    write_gguf(path, METADATA, {"w": np.ones((1000, 1024), F), "v": np.ones((1000, 1024), F)}, kind="Q8_0")
    tracemalloc.start()
    try:
        file = read_gguf(path)
        assert tracemalloc.get_traced_memory()[1] < 100_000
        file.tensors["w"].rows(3, 4).array()
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_what_is_not_written(tmp_path):
    path = tmp_path / "a.gguf"
    w = np.ones((2, 32), F)
    q = BLOCK_TYPES["Q8_0"]
    for error, metadata, tensors, rest in (
        (ConfigError, {}, {"w": w}, {"kind": "Q4_K"}),
        (ConfigError, {}, {"w" * 64: w}, {}),
        (ConfigError, {}, {"w": w.reshape(2, 2, 2, 2, 4)}, {}),
        (ConfigError, {"k" * 65536: 1}, {}, {}),
        (ConfigError, {"k": -1}, {}, {"types": {"k": "u32"}}),
        (ConfigError, {}, {}, {"types": {"k": "u32"}}),
        (ConfigError, {"general.alignment": 12}, {}, {}),
        (ConfigError, {"general.alignment": "32"}, {}, {}),
        (ConfigError, {"k": "\ud800"}, {}, {}),
        (ConfigError, {}, {"w": 1e6 * w}, {"kind": "F16"}),
        (DTypeError, {"k": None}, {}, {}),
        (DTypeError, {}, {"w": w.astype(int)}, {}),
        (NaNError, {}, {"w": np.nan * w}, {"kind": "Q8_0"}),
    ):
        with pytest.raises(error):
            write_gguf(path, metadata, tensors, **rest)
        assert not list(tmp_path.iterdir())
    with pytest.raises(NaNError, match="w: quantize_8"):
        write_gguf(path, {}, {"w": np.nan * w}, kind="Q8_0")
    with pytest.raises(ShapeError):
        write_gguf(path, {}, {"w": Blocks(q, (3, 32), np.zeros(68, np.uint8))})


def test_tensors_may_be_made_when_asked_for(tmp_path):
    class Lazy(dict):
        def items(self):
            for name in self:
                yield name, np.full((2, 32), float(name), F)

    write_gguf(tmp_path / "a.gguf", {}, Lazy.fromkeys(["1", "2"]), kind="F16")
    assert read_gguf(tmp_path / "a.gguf").array("2").tolist() == np.full((2, 32), 2.0).tolist()
    sizes = iter([2, 3])

    class Changing(Lazy):
        def items(self):
            yield "w", np.zeros(next(sizes), F)

    with pytest.raises(ConfigError, match=r"was \(2,\) and is \(3,\)"):
        write_gguf(tmp_path / "b.gguf", {}, Changing.fromkeys(["w"]))


def test_more_names_than_any_model_has(read, tmp_path):
    for counts, what in (((65_537, 0), "tensors"), ((0, 65_537), "pairs")):
        with pytest.raises(CheckpointError, match=f"65,537 {what} are announced, expected at most 65,536"):
            read(header(counts=counts) + bytes(24 * 65_537))
    with pytest.raises(ConfigError, match="65,537 pairs"):
        write_gguf(tmp_path / "b.gguf", {str(i): 1 for i in range(65_537)}, {})


def test_stories260k_through_gguf_and_back(data_file, tmp_path):
    config, tensors = read_llama2c(data_file("models/stories260K/stories260K.bin"))
    write_gguf(tmp_path / "a.gguf", {"general.architecture": "llama"}, tensors)
    file = read_gguf(tmp_path / "a.gguf")
    write_llama2c(tmp_path / "a.bin", config, {name: file.array(name) for name in file.tensors})
    _, again = read_llama2c(tmp_path / "a.bin")
    assert list(again) == list(tensors)
    assert all(np.array_equal(again[name], tensors[name]) for name in tensors)
