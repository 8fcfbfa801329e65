"""GGUF files and block types beside gguf-py: equal bytes, equal values, and no file read that it would refuse."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

from tinyllm.errors import CheckpointError
from tinyllm.models.formats.ggml import BLOCK_TYPES, READABLE, encode
from tinyllm.models.formats.gguf import read_gguf, stored_kind, write_gguf
from tinyllm.models.formats.llama2c import read_llama2c

gguf = pytest.importorskip("gguf", reason="the oracle tests need gguf: pip install -e '.[oracle]'")
from gguf import quants  # noqa: E402

pytestmark = pytest.mark.oracle

F = np.float32

# the same files and the same damage as in the tests that run everywhere
material = importlib.util.spec_from_file_location("material", Path(__file__).parents[1] / "models/formats/test_gguf.py")
test_gguf = importlib.util.module_from_spec(material)
material.loader.exec_module(test_gguf)
METADATA, mutant, small_file, weights = test_gguf.METADATA, test_gguf.mutant, test_gguf.small_file, test_gguf.weights


def theirs(kind):
    return gguf.GGMLQuantizationType[kind]


def quantized(w, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it divides by zero where a block is empty
        return quants.quantize(w, theirs(kind))


def hard_weights():
    """Matrices whose blocks hold ties, halves, numbers next to halves, signed zeros, and scales at float16's ends."""
    rng = np.random.default_rng(21)
    yield rng.normal(size=(257, 320)).astype(F)
    yield (rng.normal(size=(64, 96)) * 10.0 ** rng.uniform(-9, 4, (64, 1))).astype(F)
    yield rng.integers(-8, 9, (64, 64)).astype(F)  # many of equal magnitude: the first one counts
    halves = rng.integers(-127, 127, (64, 64)).astype(F) + F(0.5)
    halves[:, ::32] = 127  # so that d is 1
    yield halves
    yield np.nextafter(halves, F(0)) * (halves != 127) + 127 * (halves == 127)
    yield np.nextafter(halves, F(200)) * (halves != 127) + 127 * (halves == 127)
    yield np.zeros((2, 64), F)
    yield -np.zeros((2, 64), F)
    yield np.where(rng.random((32, 64)) < 0.9, 0, rng.normal(size=(32, 64))).astype(F)


@pytest.mark.parametrize("kind", READABLE)
def test_bytes_equal_those_of_its_quantizer(kind):
    for w in hard_weights():
        assert encode(w, kind).raw.tobytes() == quantized(w, kind).tobytes()


@pytest.mark.parametrize("kind", READABLE)
def test_values_equal_those_of_its_dequantizer(kind):
    rng = np.random.default_rng(22)
    for w in hard_weights():
        blocks = encode(w, kind)
        raw = blocks.raw.reshape(len(w), -1)
        assert np.array_equal(blocks.array(), quants.dequantize(raw, theirs(kind)))
    if kind in ("Q8_0", "Q4_0"):  # any bytes are blocks, if their scales are numbers
        raw = rng.integers(0, 256, (50, 3, BLOCK_TYPES[kind].size), np.uint8)
        raw[..., :2] = rng.normal(size=(50, 3, 1)).astype("<f2").view(np.uint8)
        blocks = type(blocks)(BLOCK_TYPES[kind], (50, 96), raw.reshape(-1))
        assert np.array_equal(blocks.array(), quants.dequantize(raw.reshape(50, -1), theirs(kind)))


def test_the_table_of_block_types():
    known = {kind.name: (int(kind), *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    ours = {name: (kind.code, kind.values, kind.size) for name, kind in BLOCK_TYPES.items()}
    assert ours.items() <= known.items()


def written_by_gguf(path, kind):
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in METADATA.items():
        if key == "general.architecture":
            continue
        add = {bool: "add_bool", str: "add_string", float: "add_float32", list: "add_array"}.get(type(value))
        whole = {512: "add_uint32", 2**40: "add_int64", -5: "add_int32"}
        getattr(writer, add or whole[value])(key, value)
    for name, w in weights().items():
        block_type = stored_kind(name, w.shape, kind)
        if block_type == "F32":
            writer.add_tensor(name, w)
        else:
            writer.add_tensor(name, quantized(w, block_type), raw_dtype=theirs(block_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("kind", READABLE)
def test_files_are_equal_byte_for_byte(tmp_path, kind):
    written_by_gguf(tmp_path / "theirs.gguf", kind)
    write_gguf(tmp_path / "ours.gguf", METADATA, weights(), kind=kind)
    assert (tmp_path / "ours.gguf").read_bytes() == (tmp_path / "theirs.gguf").read_bytes()


def contents(reader):
    """What gguf-py read: key -> value, and name -> (type, shape, bytes)."""
    fields = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    tensors = {
        tensor.name: (tensor.tensor_type.name, tuple(tensor.shape.tolist()[::-1]), tensor.data.tobytes())
        for tensor in reader.tensors
    }
    return fields, tensors


def ours(file):
    metadata = {
        key: value if isinstance(value, (str, int, float)) else value[:] if kind == "[string]" else value.tolist()
        for (key, value), kind in zip(file.metadata.items(), file.types.values(), strict=True)
    }
    tensors = {name: (b.type.name, b.shape, b.raw.tobytes()) for name, b in file.tensors.items()}
    return metadata, tensors


@pytest.mark.parametrize("kind", READABLE)
def test_it_reads_what_we_write(tmp_path, kind):
    write_gguf(tmp_path / "a.gguf", METADATA, weights(), kind=kind)
    fields, tensors = contents(gguf.GGUFReader(tmp_path / "a.gguf"))
    assert fields.keys() == METADATA.keys() and tensors.keys() == weights().keys()
    assert (fields, tensors) == ours(read_gguf(tmp_path / "a.gguf"))


def test_no_mutant_is_read_that_it_refuses(tmp_path):
    """What is accepted is read by gguf-py, too, with the same contents; it is the more lenient of the two."""
    path = tmp_path / "a.gguf"
    raw = small_file(path)
    rng = np.random.default_rng(23)
    accepted = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its sizes overflow, as do those of the mutants
        for _ in range(1000):
            path.write_bytes(mutant(raw, rng))
            try:
                file = read_gguf(path)
            except CheckpointError:
                continue
            accepted += 1
            assert repr(contents(gguf.GGUFReader(path))) == repr(ours(file))  # repr: a NaN is itself
    assert 40 < accepted < 500


def test_stories260k_in_q8_0(data_file, tmp_path):
    """A real model's weights: the bytes of each tensor are those of gguf-py's quantizer."""
    path = data_file("models/stories260K/stories260K.bin")
    _, tensors = read_llama2c(path)
    write_gguf(tmp_path / "a.gguf", {"general.architecture": "llama"}, tensors, kind="Q8_0")
    reader = gguf.GGUFReader(tmp_path / "a.gguf")
    assert [tensor.name for tensor in reader.tensors] == list(tensors)
    for tensor in reader.tensors:
        w = tensors[tensor.name]
        kind = "F32" if w.ndim == 1 else "Q8_0" if w.shape[-1] % 32 == 0 else "F16"
        assert tensor.tensor_type.name == kind and tensor.data.tobytes() == quantized(w, kind).tobytes()
