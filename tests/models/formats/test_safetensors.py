"""Safetensors files: laziness, views and conversions; the bytes that are written; what cannot be, and why."""

from __future__ import annotations

import json
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyllm.errors import CheckpointError
from tinyllm.models.formats import safetensors as module
from tinyllm.models.formats.halves import TILE, bf16_to_float32, float32_to_bf16
from tinyllm.models.formats.safetensors import NUMPY, MissingTensor, Raw, SafeTensors, save, stored_size, stored_types
from tinyllm.models.formats.tensor_header import BITS

SMALL = {"b": np.float32([1.5, -2]), "a": np.arange(6, dtype=np.int64).reshape(2, 3), "c": np.array(True)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.safetensors"


def by_hand(header: str, values: bytes) -> bytes:
    return len(header.encode()).to_bytes(8, "little") + header.encode() + values


# reading


def test_reads_a_file_made_by_hand(path):
    halves = np.uint16([0x3F80, 0xC000])
    path.write_bytes(
        by_hand(
            '{"n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"BF16","shape":[1,2],"data_offsets":[1,5]},'
            '"f":{"dtype":"F4","shape":[2],"data_offsets":[5,6]}}',
            b"\x07" + halves.astype("<u2").tobytes() + b"\x21",
        )
    )
    with SafeTensors(path) as file:
        assert list(file) == ["n", "w", "f"] and len(file) == 3 and "w" in file and "v" not in file
        assert file["w"].dtype == "BF16" and file["w"].shape == (1, 2) and file.metadata is None
        assert file.view("w").dtype == np.uint16 and np.array_equal(file.view("w"), [halves])  # at an odd byte
        assert file.read("w").dtype == np.float32 and np.array_equal(file.read("w"), [[1, -2]])
        assert np.array_equal(file.read("w", np.float64), [[1, -2]]) and file.read("w", np.float64).dtype == np.float64
        assert file.read("n").tolist() == [7] and file.read("n", np.float32).dtype == np.float32
        assert file.view("f").tolist() == [0x21] and file.raw("f") == Raw("F4", (2,), file.view("f"))
        with pytest.raises(CheckpointError, match=r"'f' is F4, which NumPy lacks.*raw\(\)"):
            file.read("f")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere there is no such thing")
def test_what_is_written_to_a_private_array_reaches_no_file_and_no_other(path):
    save(path, SMALL)
    before = path.read_bytes()
    with SafeTensors(path) as file, SafeTensors(path) as other:
        own, again = file.private("b"), other.private("b")
        assert own.flags.writeable and own.dtype == np.float32 and np.array_equal(own, SMALL["b"])
        own[:] = 7
        file.let_go("b")
        file.read("a")
        assert own.tolist() == [7, 7]
        assert np.array_equal(again, SMALL["b"]) and np.array_equal(file.view("b"), SMALL["b"])
        with pytest.raises(MissingTensor):
            file.private("none")
    assert own.tolist() == [7, 7] and path.read_bytes() == before
    with pytest.raises(CheckpointError, match="is closed"):
        file.private("b")


def test_what_cannot_be_a_private_array(path, monkeypatch):
    path.write_bytes(
        by_hand(
            '{"n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}',
            bytes(5),
        )
    )
    with SafeTensors(path) as file:
        assert file.private("f") is None  # at an odd byte
    save(path, {**SMALL, "h": np.float32([1, 2])}, floats="BF16")
    with SafeTensors(path) as file:
        assert file.private("h") is None
        save(path, SMALL)
        assert file.private("a") is None  # another file has its name
        path.unlink()
        assert file.private("a") is None
    save(path, SMALL)
    with SafeTensors(path) as file, monkeypatch.context() as patch:
        patch.setattr(module.os, "name", "nt")
        assert file.private("b") is None


def test_views_are_read_only_and_copies_are_not(path):
    save(path, SMALL)
    with SafeTensors(path) as file:
        view, copy = file.view("b"), file.read("b")
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.flags.writeable = True
        copy[0] = 9
        assert copy.flags.aligned and copy.flags.c_contiguous and view[0] == 1.5
    assert view.tolist() == [1.5, -2]  # the view outlives the file's closing
    with pytest.raises(CheckpointError, match="is closed"):
        file.view("b")
    with pytest.raises(CheckpointError, match="is closed"):
        file.raw("b")


def test_a_name_that_is_not_there(path):
    save(path, SMALL | {"layers.1.weight": np.zeros(2)})
    file = SafeTensors(path)
    with pytest.raises(CheckpointError, match=r"no tensor 'layers.1.weigth' among its 4\. Try: layers.1.weight"):
        file.view("layers.1.weigth")
    assert file.get("nothing") is None
    with pytest.raises(MissingTensor):
        file["nothing"]


def test_opening_and_viewing_cost_no_memory(path):
    save(path, {f"w{n}": np.zeros((500, 500), np.float32) for n in range(8)})  # 8 MB
    tracemalloc.start()
    file = SafeTensors(path)
    views = [file.view(name) for name in file]
    assert tracemalloc.get_traced_memory()[1] < 100_000
    one = file.read("w3")
    assert tracemalloc.get_traced_memory()[1] < one.nbytes + 100_000 and len(views) == 8
    tracemalloc.stop()


def test_a_view_stays_as_good_when_its_pages_are_given_back(path, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 4096)
    values = np.arange(30_000, dtype=np.float32)
    save(path, {"a": values, "b": values[:7].astype(np.float64), "none": values[:0]})
    with SafeTensors(path) as file:
        view = file.view("a")
        assert np.array_equal(file.read("a"), values) and np.array_equal(file.read("a", ">f8"), values)
        for name in file:
            file.let_go(name)
        assert np.array_equal(view, values)
        with pytest.raises(MissingTensor):
            file.let_go("c")
    with pytest.raises(CheckpointError, match="is closed"):
        file.let_go("a")


def test_shapes_that_numpy_cannot_hold(path):
    shapes = {"axes": [1] * 65, "size": [0, 2**63]}
    fields = {
        name: {"dtype": "U8", "shape": shape, "data_offsets": [0, int(name == "axes")]}
        for name, shape in shapes.items()
    }
    path.write_bytes(by_hand(json.dumps(fields), b"\0"))
    file = SafeTensors(path)
    for name in ("axes", "size"):
        with pytest.raises(CheckpointError, match=f"'{name}' has the shape"):
            file.view(name)
    assert file.raw("axes").data.tolist() == [0]


def test_files_that_cannot_be_read(path, tmp_path):
    with pytest.raises(CheckpointError, match="there is no such file"):
        SafeTensors(path)
    with pytest.raises(CheckpointError, match=r"is a folder.*open_tensors"):
        SafeTensors(tmp_path)
    path.write_bytes(b"1234567")
    with pytest.raises(CheckpointError, match=r"x\.safetensors: has 7 bytes"):
        SafeTensors(path)
    path.write_bytes(b"PK\x03\x04" + bytes(90))
    with pytest.raises(CheckpointError, match=r"pickle of torch.save.*weights_only=True"):
        SafeTensors(path)
    save(path, SMALL)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(CheckpointError, match="its tensors take"):
        SafeTensors(path)


# writing


def test_the_bytes_of_a_file(path):
    save(path, SMALL, {"z": "\u00e9\n", "a": "1"})
    header = (
        '{"__metadata__":{"a":"1","z":"\u00e9\\n"},"a":{"dtype":"I64","shape":[2,3],"data_offsets":[0,48]},'
        '"b":{"dtype":"F32","shape":[2],"data_offsets":[48,56]},"c":{"dtype":"BOOL","shape":[],"data_offsets":[56,57]}}'
    )
    header += " " * (-len(header.encode()) % 8)
    values = SMALL["a"].astype("<i8").tobytes() + SMALL["b"].astype("<f4").tobytes() + b"\1"
    assert path.read_bytes() == by_hand(header, values)
    save(path, {})
    assert path.read_bytes() == by_hand("{}      ", b"")


def test_types_are_sorted_by_size_and_names_by_code_point():
    tensors = {
        name: np.zeros(1, code) for name, code in {"z": "u1", "\u00e9": "f4", "e": "f4", "y": "u8", "x": "i8"}.items()
    }
    assert list(stored_types(tensors)) == ["y", "x", "e", "\u00e9", "z"]


@given(st.data())
def test_round_trip(tmp_path_factory, data):
    names = st.text(max_size=6).filter(lambda name: name != "__metadata__")
    arrays = hnp.arrays(
        st.sampled_from(sorted(NUMPY.values())), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    )
    tensors = data.draw(st.dictionaries(names, arrays, max_size=5))
    metadata = data.draw(st.none() | st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3))
    path = tmp_path_factory.getbasetemp() / "round.safetensors"
    save(path, tensors, metadata)
    with SafeTensors(path) as file:
        assert set(file) == set(tensors) and file.metadata == metadata
        for name, array in tensors.items():
            got = file.read(name)
            assert (got.dtype, got.shape, got.tobytes()) == (array.dtype, array.shape, array.tobytes())
        first = path.read_bytes()
        save(path.with_suffix(".again"), {name: file.raw(name) for name in file}, file.metadata)
    assert path.with_suffix(".again").read_bytes() == first
    assert int.from_bytes(first[:8], "little") % 8 == 0


def test_any_layout_and_byte_order_is_written_in_c_order(path, rng):
    x = rng.normal(size=(4, 6)).astype(np.float32)
    kinds = {
        "t": x.T,
        "step": x[::2, ::-3],
        "big": x.astype(">f4"),
        "fortran": np.asfortranarray(x),
        "zero": x[:0],
        "one": x[0, 0:1].reshape(()),
    }
    save(path, kinds)
    file = SafeTensors(path)
    for name, array in kinds.items():
        assert np.array_equal(file.read(name), array) and file[name].shape == array.shape


def test_raw_keeps_types_that_numpy_lacks(path):
    tensors = {name: Raw(name, (8,), np.arange(BITS[name], dtype=np.uint8)) for name in BITS}
    save(path, tensors)
    file = SafeTensors(path)
    assert list(file) == list(reversed(BITS))
    for name in BITS:
        assert file.raw(name).dtype == name and np.array_equal(file.raw(name).data, tensors[name].data)


@pytest.mark.parametrize("own", ["f2", "f4", "f8"])
@pytest.mark.parametrize("floats", ["F16", "BF16", "F32"])
def test_floats_are_stored_as_asked(path, rng, own, floats):
    x = rng.normal(size=(3, TILE)).astype(own)
    save(path, {"x": x, "n": np.arange(3)}, floats=floats)
    file = SafeTensors(path)
    assert (file["x"].dtype, file["n"].dtype) == (floats, "I64")
    if floats == "BF16":
        expected = bf16_to_float32(float32_to_bf16(x.astype(np.float32)))
    else:
        expected = x.astype({"F16": np.float16, "F32": np.float32}[floats])
    assert np.array_equal(file.read("x"), expected)
    assert file["x"].end - file["x"].begin == stored_size(x, floats)


def test_overflow_is_an_error_in_f16_and_infinity_stays_one(path):
    save(path, SMALL)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"'w' holds values beyond 65\.?5.*BF16"):
        save(path, {"w": np.float32([1, 7e4])}, floats="F16")
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]
    save(path, {"w": np.float32([np.inf, -np.inf, np.nan, 65504])}, floats="F16")
    assert np.array_equal(SafeTensors(path).read("w"), np.float16([np.inf, -np.inf, np.nan, 65504]), equal_nan=True)
    save(path, {"w": np.float32([3.4e38])}, floats="BF16")
    assert SafeTensors(path).read("w")[0] == np.inf


@pytest.mark.parametrize(
    "tensors, options, message",
    [
        ({"__metadata__": np.zeros(1)}, {}, "cannot be named"),
        ({3: np.zeros(1)}, {}, "cannot be named 3"),
        ({"\ud800": np.zeros(1)}, {}, "not Unicode"),
        ({"x": [1.0]}, {}, "'x' is a list"),
        ({"x": np.zeros(1, np.complex128)}, {}, "complex128, which the format lacks"),
        ({"x": np.array(["a"])}, {}, "which the format lacks"),
        ({"x": np.zeros(1)}, {"floats": "F8"}, "floats is 'F8'"),
        ({"x": np.zeros(1)}, {"metadata": {"a": 1}}, "metadata is 1"),
        ({"x": np.zeros(1)}, {"metadata": {"a": "\udc00"}}, "not Unicode"),
        ({"x": Raw("F9", (1,), np.zeros(1, np.uint8))}, {}, "dtype 'F9'"),
        ({"x": Raw("F32", (2,), np.zeros(4, np.uint8))}, {}, r"not uint8 \[8\]"),
        ({"x": Raw("F32", (2,), np.zeros(2, np.float32))}, {}, r"not uint8 \[8\]"),
        ({"x": Raw("F4", (3,), np.zeros(2, np.uint8))}, {}, "no whole number of bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_leaves_the_old_file(path, tensors, options, message):
    save(path, SMALL)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=message):
        save(path, tensors, **options)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="make the folder first"):
        save(tmp_path / "no" / "x.safetensors", SMALL)


def test_a_file_can_be_written_over_while_it_is_read(path):
    save(path, SMALL)
    with SafeTensors(path) as file:
        save(path, {name: file.raw(name) for name in file} | {"d": np.zeros(3)})
        assert file.read("b").tolist() == [1.5, -2]
    assert sorted(SafeTensors(path)) == ["a", "b", "c", "d"]
