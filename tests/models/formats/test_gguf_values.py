"""Values of a GGUF header: bytes by hand, round trips of any value, types chosen and asked for, and hostile bytes."""

from __future__ import annotations

import struct
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import CheckpointError, ConfigError, DTypeError
from tinyllm.models.formats.gguf_values import Cursor, Strings, string_bytes, value_bytes, value_type

NUMBERS = ("u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64")


def back(raw):
    cursor = Cursor(memoryview(raw), "toy")
    result = cursor.value("key")
    assert cursor.left == 0
    return result


@pytest.mark.parametrize(
    ("kind", "value", "raw"),
    [
        ("u8", 200, "00000000 c8"),
        ("i8", -1, "01000000 ff"),
        ("u16", 258, "02000000 0201"),
        ("i16", -2, "03000000 feff"),
        ("u32", 7, "04000000 07000000"),
        ("i32", -7, "05000000 f9ffffff"),
        ("f32", 1.5, "06000000 0000c03f"),
        ("bool", True, "07000000 01"),
        ("string", "hé", "08000000 0300000000000000 68c3a9"),
        ("u64", 2**63, "0a000000 0000000000000080"),
        ("i64", -1, "0b000000 ffffffffffffffff"),
        ("f64", 1.5, "0c000000 000000000000f83f"),
        ("[i16]", [1, -1], "09000000 03000000 0200000000000000 0100 ffff"),
        ("[bool]", [True, False], "09000000 07000000 0200000000000000 01 00"),
        ("[string]", ["a", ""], "09000000 08000000 0200000000000000 0100000000000000 61 0000000000000000"),
        ("[u64]", [0, 2**63], "09000000 0a000000 0200000000000000 0000000000000000 0000000000000080"),
        ("[f32]", [], "09000000 06000000 0000000000000000"),
    ],
)
def test_bytes_of_every_type(kind, value, raw):
    raw = bytes.fromhex(raw)
    assert value_bytes(value, kind, "key") == raw
    found, again = back(raw)
    assert found == kind
    assert (list(again) if kind.startswith("[") else again) == value
    if not kind.startswith("["):
        assert type(again) is type(value)


@given(st.data())
def test_round_trips(data):
    kind = data.draw(st.sampled_from([*NUMBERS, "f32", "f64", "bool", "string"]))
    if kind in NUMBERS:
        info = np.iinfo({"u": "uint", "i": "int"}[kind[0]] + kind[1:])
        items = st.integers(int(info.min), int(info.max))
    else:
        items = {
            "f32": st.floats(width=32, allow_nan=False),
            "f64": st.floats(allow_nan=False),
            "bool": st.booleans(),
            "string": st.text(),
        }[kind]
    value = data.draw(items)
    assert back(value_bytes(value, kind, "key")) == (kind, value)
    values = data.draw(st.lists(items))
    found, again = back(value_bytes(values, f"[{kind}]", "key"))
    assert found == f"[{kind}]" and list(again) == values
    assert value_bytes(again, found, "key") == value_bytes(values, found, "key")


def test_types_that_are_chosen():
    for value, kind in (
        (7, "u32"),
        (2**32, "i64"),
        (2**63, "u64"),
        (-7, "i32"),
        (-(2**40), "i64"),
        (True, "bool"),
        (0.5, "f32"),
        ("", "string"),
        (np.uint8(3), "u8"),
        (np.float64(3), "f64"),
    ):
        assert value_type(value, "key") == kind
    for value, kind in (
        ([1, -1], "[i32]"),
        ([1, 2**31], "[u32]"),
        ([-1, 2**31], "[i64]"),
        ((True,), "[bool]"),
        ([1, 0.5], "[f32]"),
        (["a"], "[string]"),
        (np.arange(3, dtype=np.int16), "[i16]"),
        (np.array(["a", "b"]), "[string]"),
    ):
        assert value_type(value, "key") == kind
        back(value_bytes(value, kind, "key"))


@pytest.mark.parametrize("value", [None, [], {}, b"raw", [1, "a"], [True, 2], 2**64, -(2**64), [[1], [2]], 1j])
def test_values_without_a_type(value):
    with pytest.raises(DTypeError, match=r"some\.key"):
        value_type(value, "some.key")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (256, "u8"),
        (-1, "u32"),
        (2**64, "u64"),
        (0.5, "u32"),
        (True, "u32"),
        (1, "bool"),
        ("a", "u32"),
        (1, "string"),
        ("a", "[string]"),
        (1, "[u32]"),
        ([1, 300], "[u8]"),
        ([1, "a"], "[string]"),
        (1e300, "f32"),
        (1, "array"),
        ([1], "[array]"),
        (1, "complex"),
        ("\ud800", "string"),
    ],
)
def test_values_that_do_not_fit_the_type_asked_for(value, kind):
    with pytest.raises(ConfigError, match="key"):
        value_bytes(value, kind, "key")


def test_infinities_and_nan_are_floats():
    assert back(value_bytes([np.inf, -np.inf], "[f32]", "key"))[1].tolist() == [np.inf, -np.inf]
    assert np.isnan(back(value_bytes(float("nan"), "f32", "key"))[1])


HUGE = struct.pack("<Q", 2**64 - 1)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the type of key takes 4 bytes"),
        (b"\x0d\0\0\0", "of type 13"),
        (b"\x04\0\0\0\1\2", "takes 4 bytes"),
        (b"\x07\0\0\0\2", "truth value"),
        (b"\x08\0\0\0" + HUGE, "at most"),
        (b"\x08\0\0\0\2\0\0\0\0\0\0\0a", "takes 2 bytes"),
        (b"\x08\0\0\0\1\0\0\0\0\0\0\0\xff", "UTF-8 at byte 12"),
        (b"\x09\0\0\0\x09\0\0\0" + HUGE, "array of arrays"),
        (b"\x09\0\0\0\x0c\0\0\0" + HUGE, "bytes"),
        (b"\x09\0\0\0\x08\0\0\0" + HUGE, "strings"),
        (b"\x09\0\0\0\x08\0\0\0" + struct.pack("<QQ", 1, 2**63), r"\[0\] is cut off"),
        (b"\x09\0\0\0\x08\0\0\0" + struct.pack("<QQ", 2, 7) + b"abcdefg.", r"\[1\] is cut off"),
        (b"\x09\0\0\0\x08\0\0\0" + struct.pack("<QQ", 1, 1) + b"\xc3", "UTF-8 at byte 24"),
        (b"\x09\0\0\0\x07\0\0\0" + struct.pack("<Q", 2) + b"\1\3", "truth value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_bytes(raw, message):
    with pytest.raises(CheckpointError, match=message):
        Cursor(memoryview(raw), "toy").value("key")


def test_strings_are_a_sequence():
    raw = string_bytes("a", "") + string_bytes("βγ", "") + string_bytes("", "")
    strings = Strings(memoryview(raw), array("Q", [8, 17, 29, 37]))
    assert list(strings) == ["a", "βγ", ""] == strings[:] and len(strings) == 3
    assert strings[-1] == "" and strings[::2] == ["a", ""] and "βγ" in strings and strings.index("βγ") == 1
    assert strings == ["a", "βγ", ""] and strings != ["a"] and strings != "a" and repr(strings) == "<3 strings>"
    for i in (3, -4):
        with pytest.raises(IndexError):
            strings[i]
    with pytest.raises(TypeError):
        hash(strings)
