"""Beside the safetensors library: the same verdict on every mutant of a header, the same tensors and bytes written.

Mutants are made from headers that the grammar allows, by edits that know it: fields dropped, doubled and swapped,
numbers moved to where arithmetic ends, brackets, white space and escapes inserted, values cut short and lengthened,
bytes changed. One difference is meant: a tensor that is named twice is refused here, where the library lets the last
one win.
"""

from __future__ import annotations

import json
import math
import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import CheckpointError
from tinyllm.models.formats.halves import bf16_to_float32, float32_to_bf16
from tinyllm.models.formats.safetensors import NUMPY, Raw, SafeTensors, save
from tinyllm.models.formats.sharded import Shards, save_sharded
from tinyllm.models.formats.tensor_header import BITS, read_header

library = pytest.importorskip("safetensors", reason="the oracle tests need safetensors: pip install -e '.[oracle]'")
library_numpy = pytest.importorskip("safetensors.numpy")

HELD_TO = "0.8.0"
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(
        library.__version__ != HELD_TO, reason=f"held to safetensors {HELD_TO}; another one is installed"
    ),
]

MUTANTS = 24_000
SEEDS = 8

NUMBERS_TEXT = """0 1 2 7 8 -1 -0 00 1.0 1e0 4294967296 9223372036854775807 9223372036854775808 2305843009213693952
18446744073709551615 18446744073709551616 99999999999999999999999 1e400 +1 .5 0x1"""
NUMBERS = NUMBERS_TEXT.split()
PIECES = [
    *(bytes([byte]) for byte in b'{}[],:"\\ \n\t\r\x00\x0b\xa0\xff-019.e/' + b"'"),
    *(b"\xc3\xa9", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80"),
    *(rb"\u0061", rb"\ud800", rb"\udc00", rb"\ud83d\ude00", rb"\n", rb"\/", rb"\x", rb"\u00g0", rb"\"", b"\\\\"),
    *b'null true false NaN Infinity E+ {} [] "" // /**/ "dtype" "shape" "data_offsets" "__metadata__" "F32"'.split(),
    *b'"x":1, "x":[[]], "__metadata__":{}, "__metadata__":null,'.split(),
    *(b"[" * 124, b"[" * 130 + b"]" * 130),
]
DEEP = ["[" * 125 + "]" * 125, "[" * 126 + "]" * 126, '{"a":' * 125 + "1" + "}" * 125, "9" * 309, "9" * 308]
VALUES_TEXT = r"""null 1e999 -0.0e-400 1e-999 "\u00e9" {"a":[1,{"b":2}]} [] 01 1. - tru nul nulll "\ud800"
"\udbff\udfff" "é" ["\t"] 1E+2 0.5e-0 NaN -Infinity "\/\b\f" "\u00E9\uD83D\uDE00" "\v" "\u00g0" truefalse"""
VALUES = VALUES_TEXT.split()
EXTRAS = [
    '"":[]',
    '"Dtype":1',
    '"__metadata__":{"a":1}',
    '"x":"\t"',
    '"x":"\x7f"',
    *(f'"x":{v}' for v in VALUES + DEEP),
]
FIELDS = [*NUMBERS, "null", "[]", "{}", '""', "[0]", "[0,0]", "[0,0,0]", '{"F32":null}', "true"]
DTYPES = r"""{"F32":null} {"U8":null} {"F32":{}} {"F32":0} {"F32":null,"U8":null} {} ["F32"] "F32"
"f32" "F\u00332" "F8" "" """
METADATA = ["null", "{}", '{"a":"b"}', '{"a":"b","a":"\\n"}', '{"a":1}', '{"a":null}', "[]", '""', '{"a":"b",}']


def some_tensor(draw: random.Random, begin: int) -> tuple[dict[str, str], int]:
    """The fields of a tensor as JSON, and where it ends."""
    dtype = draw.choice(list(BITS))
    shape = [draw.choice([0, 1, 2, 3, 4, 8]) for _ in range(draw.choice([0, 1, 1, 2, 3]))]
    if BITS[dtype] < 8 and draw.random() < 0.7:
        shape.append(4)
    if draw.random() < 0.1:  # no values, but sizes whose product may or may not overflow before it comes to nothing
        shape = [0, *draw.choices([1, 2, 3, 2**32, 2**61, 2**63, 2**64 - 1, 2**64], k=draw.randint(1, 3))]
        draw.shuffle(shape)
    end = begin + (math.prod(shape) * BITS[dtype] + draw.choice([0, 7])) // 8
    return {"dtype": f'"{dtype}"', "shape": str(shape), "data_offsets": f"[{begin}, {end}]"}, end


def edit_fields(draw: random.Random, tensors: list[tuple[str, dict[str, str]]]) -> None:
    """One change of meaning, before the header is written out."""
    name, fields = draw.choice(tensors)
    kind = draw.randrange(9)
    field = draw.choice(list(fields))
    if kind == 0:
        del fields[field]
    elif kind == 1:
        fields[field] = draw.choice(FIELDS)
    elif kind == 2:
        fields["dtype"] = draw.choice(DTYPES.split())
    elif kind == 3:
        fields["shape"] = f"[{','.join(draw.choices(NUMBERS, k=draw.randint(1, 3)))}]"
    elif kind == 4:
        fields["data_offsets"] = f"[{draw.choice(NUMBERS)},{draw.choice(NUMBERS)}]"
    elif kind == 5:
        other = draw.choice(tensors)[1]
        if field in other:
            fields[field], other[field] = other[field], fields[field]
    elif kind == 6:
        tensors.append((draw.choice(["other", name, "", "__metadata__", "caf\u00e9", "\\u0061"]), dict(fields)))
    elif kind == 7:
        fields[" extra"] = draw.choice(EXTRAS)
    else:
        tensors.remove((name, fields))
        if not tensors:
            tensors.append((name, fields))


def write_out(draw: random.Random, tensors: list[tuple[str, dict[str, str]]], metadata: str | None) -> bytes:
    entries = []
    for name, fields in tensors:
        keys = draw.sample(list(fields), len(fields)) if draw.random() < 0.2 else list(fields)
        if draw.random() < 0.08:
            parts = [fields[key] for key in keys if key[0] != " "] + draw.choice([[], [], [], ["0"], ["null", "[]"]])
            entries.append(f'"{name}":[{",".join(parts)}]')
            continue
        parts = [fields[key] if key[0] == " " else f'"{key}":{fields[key]}' for key in keys]
        if draw.random() < 0.03:
            parts.append(draw.choice(parts))
        entries.append(f'"{name}":{{{",".join(parts)}}}')
    for _ in range(0 if metadata is None else draw.choice([1, 1, 1, 2])):
        entries.insert(draw.randrange(len(entries) + 1), f'"__metadata__":{metadata}')
    if draw.random() < 0.2:
        draw.shuffle(entries)
    text = "{" + ",".join(entries) + "}"
    if draw.random() < 0.2:
        text = text.replace(",", draw.choice([", ", " ,", ",\n", ",\t", ",\r\n", ", \v", ", \xa0"])).replace(":", ": ")
    return (draw.choice(["", "", "", " ", "\n", "\t "]) + text + " " * draw.choice([0, 0, 3, 8])).encode()


def edit_bytes(draw: random.Random, text: bytes) -> bytes:
    """One change of the text, wherever it falls."""
    at, to = sorted((draw.randrange(len(text) + 1), draw.randrange(len(text) + 1)))
    kind = draw.randrange(7)
    if kind == 0:
        return text[:at] + text[min(at + draw.choice([1, 1, 2, 5]), to) :]
    if kind == 1:
        return text[:at] + draw.choice(PIECES) + text[at:]
    if kind == 2:
        return text[:at] + draw.choice(PIECES) + text[at + 1 :]
    if kind == 3:
        return text[:at] + bytes([draw.randrange(256)]) + text[at + 1 :]
    if kind == 4:
        return text[:to]
    if kind == 5:
        return text[:to] + text[at:]
    digits = [i for i, byte in enumerate(text) if chr(byte).isdigit()]
    if not digits:
        return text
    where = draw.choice(digits)
    return text[:where] + draw.choice(NUMBERS).encode() + text[where + 1 :]


def mutant(draw: random.Random) -> bytes:
    """A whole file; about one in five is as it should be, and many of the others almost."""
    tensors, end = [], 0
    for n in range(draw.choice([1, 1, 2, 3])):
        fields, end = some_tensor(draw, end)
        tensors.append((f"t{n}", fields))
    metadata = draw.choice([None] * 9 + METADATA)
    for _ in range(draw.choice([0, 0, 0, 1, 1, 2])):
        edit_fields(draw, tensors)
    text = write_out(draw, tensors, metadata)
    for _ in range(draw.choice([0, 0, 0, 0, 1, 3])):
        text = edit_bytes(draw, text)
    N = len(text) + draw.choice([0] * 60 + [1, -1, 8, 2**31, 100_000_001, 2**63, 2**64 - 9 - len(text)])
    values = draw.randbytes(max(0, end + draw.choice([0] * 30 + [-1, 1])))
    whole = (N % 2**64).to_bytes(8, "little") + text + values
    return whole if draw.random() > 0.02 else whole[: draw.randrange(len(whole))]


def theirs(data: bytes) -> dict | None:
    try:
        return dict(library.deserialize(data))
    except library.SafetensorError:
        return None


def names_a_tensor_twice(data: bytes) -> bool:
    """Whether the top level has a name twice, told by Python's own JSON reader."""
    found = []

    def look(pairs):
        found.append([key for key, _ in pairs])
        return dict(pairs)

    json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")], object_pairs_hook=look)
    return len(found[-1]) != len(set(found[-1]))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_same_verdict_on_every_mutant(seed):
    draw = random.Random(seed)
    accepted = twice = 0
    for number in range(MUTANTS // SEEDS):
        data = mutant(draw)
        expected = theirs(data)
        try:
            header = read_header(data)
        except CheckpointError as error:
            if expected is not None:
                assert "is there twice" in str(error) and names_a_tensor_twice(data), (number, data, str(error))
                twice += 1
            continue
        assert expected is not None, (number, data)
        accepted += 1
        assert header.entries.keys() == expected.keys()
        for name, (dtype, shape, begin, end) in header.entries.items():
            assert (dtype, list(shape)) == (expected[name]["dtype"], expected[name]["shape"]), (number, data)
            assert data[header.start + begin : header.start + end] == expected[name]["data"]
    assert accepted > 0.1 * MUTANTS / SEEDS and twice < 0.05 * MUTANTS / SEEDS


def verdicts_differ(seed: int) -> bool:
    """Whether any mutant of a seed is judged otherwise than by the library, tensors named twice aside."""
    draw = random.Random(seed)
    for _ in range(MUTANTS // SEEDS):
        data = mutant(draw)
        try:
            read_header(data)
        except CheckpointError as error:
            if theirs(data) is not None and "is there twice" not in str(error):
                return True
        else:
            if theirs(data) is None:
                return True
    return False


@pytest.mark.parametrize(
    "name, fault",
    [
        ("DEEPEST", 126),
        ("DEEPEST", 128),
        ("LARGEST", 2**63),
        ("BITS", {**BITS, "F6_E2M3": 8}),
        ("BITS", {dtype: bits for dtype, bits in BITS.items() if dtype != "F8_E5M2FNUZ"}),
        ("_SPACE", re.compile(rb"[ \t\n\r\x0b]*")),
        ("_STRING", re.compile(rb'"(?:[^"\\\x00-\x1f]|\\(?:["\\bfnrt]|u[0-9a-fA-F]{4}))*"')),
        ("_WHOLE", re.compile(rb"-?[0-9]{1,20}(?![0-9.eE])")),
        ("_NUMBER", re.compile(rb"-?[0-9]+(?:\.[0-9]*)?(?:[eE][0-9]+)?")),
        ("_WORD", re.compile(rb"true|false|null|NaN")),
    ],
)
def test_the_mutants_find_a_planted_fault(monkeypatch, name, fault):
    monkeypatch.setattr(f"tinyllm.models.formats.tensor_header.{name}", fault)
    assert any(verdicts_differ(seed) for seed in range(SEEDS))


def test_metadata_and_tensors_of_files(tmp_path, rng):
    arrays = {f"{code[1:] or 'bool'} \u00e9": rng.integers(0, 2, (2, 3)).astype(code) for code in NUMPY.values()}
    library_numpy.save_file(arrays, tmp_path / "x.safetensors", {"format": "np", "\u00e9": "\n"})
    with SafeTensors(tmp_path / "x.safetensors") as file, library.safe_open(tmp_path / "x.safetensors", "np") as other:
        assert file.metadata == other.metadata()
        assert list(file) == list(other.offset_keys())
        for name in arrays:
            theirs_, ours = other.get_tensor(name), file.read(name)
            assert ours.dtype == theirs_.dtype and np.array_equal(ours, theirs_)


WORDS = {"F4": "float4_e2m1fn_x2", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn", "F8_E8M0": "float8_e8m0fnu"}
WORDS |= {"F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz", "BF16": "bfloat16", "BOOL": "bool"}
WORDS |= {"F16": "float16", "F32": "float32", "F64": "float64", "C64": "complex64"}
WORDS |= {f"{k}{bits}": f"{word}{bits}" for k, word in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)}
names = st.text(max_size=8).filter(lambda name: name != "__metadata__")
shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)


@given(st.data())
def test_the_same_bytes_are_written(tmp_path_factory, data):
    """Every type the library writes, any name, any shape; one key of metadata, as its order of several varies.

    Empty metadata without a tensor is left out: there the library writes a file that it cannot read.
    """
    tensors, specs = {}, {}
    for name in data.draw(st.lists(names, unique=True, max_size=6)):
        dtype, shape = data.draw(st.sampled_from(sorted(WORDS))), data.draw(shapes)
        given_as = (*shape, 2) if dtype == "F4" else shape  # two of these to a byte: the library doubles the last axis
        shape = (*shape, 4) if dtype == "F4" else shape
        size = int(np.prod(shape, dtype=int)) * BITS[dtype] // 8
        values = np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), np.uint8)
        tensors[name] = Raw(dtype, shape, values)
        specs[name] = library.TensorSpec(
            dtype=WORDS[dtype], shape=list(given_as), data_ptr=values.ctypes.data if size else 0, data_len=size
        )
    least = 0 if tensors else 1
    texts = st.dictionaries(st.text(max_size=5), st.text(max_size=5), min_size=least, max_size=1)
    metadata = data.draw(st.none() | texts)
    path = tmp_path_factory.getbasetemp() / "written.safetensors"
    save(path, tensors, metadata)
    assert path.read_bytes() == bytes(library.serialize(specs, metadata=metadata))


def test_arrays_give_the_same_bytes_as_the_library(tmp_path, rng):
    arrays = {
        f"layer.{n}": rng.normal(size=(n, 3)).astype(code) for n, code in enumerate(["f4", "f2", "f8", "i4", "?"])
    }
    save(tmp_path / "x", arrays, {"format": "pt"})
    assert (tmp_path / "x").read_bytes() == library_numpy.save(arrays, {"format": "pt"})


def test_bf16_rounds_as_torch_does(rng):
    torch = pytest.importorskip("torch", reason="the oracle tests need torch: pip install -e '.[oracle]'")
    bits = rng.integers(0, 2**32, 200_000, dtype=np.uint32)
    values = bits.view(np.float32)
    rounded = torch.from_numpy(values).to(torch.bfloat16)
    ours, number = float32_to_bf16(values), ~np.isnan(values)
    assert np.array_equal(ours[number], rounded.view(torch.uint16).numpy()[number])
    assert np.array_equal(np.isnan(bf16_to_float32(ours)), ~number)
    every = np.arange(1 << 16, dtype=np.uint16)
    widened = torch.from_numpy(every.view(np.int16)).view(torch.bfloat16).float().numpy()
    assert np.array_equal(bf16_to_float32(every), widened, equal_nan=True)


def test_shards_written_elsewhere(tmp_path, rng):
    """The index of huggingface_hub's splitting, and ours, name the same files for the same tensors."""
    hub = pytest.importorskip("huggingface_hub", reason="comes with transformers")
    arrays = {f"w{n}": rng.normal(size=(int(rng.integers(1, 30)), 5)).astype(np.float32) for n in range(40)}
    split = hub.split_state_dict_into_shards_factory(
        arrays, get_storage_size=lambda a: a.nbytes, filename_pattern="model{suffix}.safetensors", max_shard_size=1500
    )
    save_sharded(tmp_path, arrays, {"format": "pt"}, max_shard_size=1500)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    total = index["metadata"]["total_size"]
    assert total == sum(a.nbytes for a in arrays.values())
    shards = Shards(tmp_path)
    for name, file in index["weight_map"].items():
        assert np.array_equal(library_numpy.load_file(tmp_path / file)[name], arrays[name])
        assert np.array_equal(shards.read(name), arrays[name])
    assert split.tensor_to_filename == index["weight_map"] and split.metadata["total_size"] == total
