"""Headers: what is accepted, what is refused and why, and that no claim is believed before it is checked."""

from __future__ import annotations

import json
import re
import tracemalloc

import pytest

from tinyllm.errors import CheckpointError
from tinyllm.models.formats.tensor_header import BITS, LONGEST_HEADER, Entry, read_header, size_in_bytes

A = '"shape":[2],"data_offsets":[0,8]'


def spelled_out(header: str | bytes) -> bytes:
    """The cases below write $A for a shape and its place, and <U8 1,2 0,2> for a whole tensor."""
    text = header.encode() if isinstance(header, str) else header
    tensor = rb'{"dtype":"\1","shape":[\2],"data_offsets":[\3]}'
    return re.sub(rb"<(\w+) ([^ ]*) ([^>]*)>", tensor, text.replace(b"$A", A.encode()))


def file(header: str | bytes, values: int = 8, N: int | None = None) -> bytes:
    text = spelled_out(header)
    return (len(text) if N is None else N).to_bytes(8, "little") + text + bytes(values)


ACCEPTED = {
    "plain": ('{"a":{"dtype":"F32",$A}}', 8),
    "nothing": ("{}", 0),
    "spaces around": (' \n\t\r{ "a" : { "dtype" : "F32" , "shape" : [ 2 ] , "data_offsets" : [ 0 , 8 ] } } \n', 8),
    "other order": ('{"b":<U8 1 1,2>,"a":{"data_offsets":[0,1],"shape":[],"dtype":"U8"}}', 2),
    "metadata": ('{"__metadata__":{"k":"v","k":"w"},"a":{"dtype":"F32",$A}}', 8),
    "null metadata": ('{"a":{"dtype":"F32",$A},"__metadata__":null}', 8),
    "empty name": ('{"":{"dtype":"F32",$A}}', 8),
    "escapes": (r'{"\ud83d\ude00\n\u0000":{"dtype":"F\u00332",$A}}', 8),
    "unknown keys": ('{"a":{"x":[{"y":[1.5e-7,-0,true,false,null,{},[]]},"z"],"x":3,"dtype":"F32",$A}}', 8),
    "a list": ('{"a":["F32",[2],[0,8]]}', 8),
    "a type as an object": ('{"a":{"dtype":{"F32":null},$A}}', 8),
    "no values": ('{"a":<F32 0,9 0,0>,"b":<F32 3,0 0,0>}', 0),
    "a huge size of none": ('{"a":<F32 0,18446744073709551615 0,0>}', 0),
    "below a byte": ('{"a":<F4 3,2 0,3>}', 3),
    "deep, to the limit": ('{"a":{"x":' + "[" * 125 + "]" * 125 + ',"dtype":"F32",$A}}', 8),
}  # fmt: skip

REFUSED = {
    "hole": ('{"a":<U8 1 1,2>}', 2, "hole"),
    "overlap": ('{"a":<U8 2 0,2>,"b":<U8 1 1,2>}', 2, "overlap"),
    "two on one range": ('{"a":<U8 1 0,1>,"b":<U8 1 0,1>}', 1, "overlap"),
    "left over": ('{"a":{"dtype":"F32",$A}}', 9, "9 follow"),
    "too short": ('{"a":{"dtype":"F32",$A}}', 7, "take 8 bytes"),
    "end before begin": ('{"a":<U8 0 0,0>,"b":<U8 0 0,-1>}', 0, "whole number"),
    "backwards": ('{"a":<U8 1 0,1>,"b":<U8 1 1,0>}', 1, "before its beginning"),
    "another size": ('{"a":{"dtype":"F64",$A}}', 8, "16 bytes"),
    "part of a byte": ('{"a":<F4 3 0,2>}', 2, "no whole number"),
    "overflow": ('{"a":<U8 4294967296,4294967296,0 0,0>}', 0, "no whole number"),
    "overflow in bits": ('{"a":<U8 4611686018427387904 0,4611686018427387904>}', 0, "no whole number"),
    "offset past 64 bits": ('{"a":<U8 0 0,18446744073709551616>}', 0, "2\\*\\*64"),
    "negative": ('{"a":<U8 -1 0,0>}', 0, "whole number"),
    "minus zero": ('{"a":<U8 -0 0,0>}', 0, "whole number"),
    "fraction": ('{"a":<U8 1.0 0,1>}', 1, "whole number"),
    "exponent": ('{"a":<U8 1e0 0,1>}', 1, "whole number"),
    "leading zero": ('{"a":<U8 01 0,1>}', 1, "whole number"),
    "shape as a text": ('{"a":{"dtype":"U8","shape":"1","data_offsets":[0,1]}}', 1, "no '\\['"),
    "three offsets": ('{"a":<U8 1 0,1,1>}', 1, "one too many"),
    "one offset": ('{"a":<U8 1 0>}', 1, "lacks"),
    "no dtype": ('{"a":{$A}}', 8, "lacks"),
    "no shape": ('{"a":{"dtype":"F32","data_offsets":[0,8]}}', 8, "lacks"),
    "no offsets": ('{"a":{"dtype":"F32","shape":[2]}}', 8, "lacks"),
    "a field twice": ('{"a":{"dtype":"F32","dtype":"F32",$A}}', 8, "twice"),
    "a tensor twice": ('{"a":{"dtype":"F32",$A},"a":{"dtype":"F32",$A}}', 8, "'a' is there twice"),
    "metadata twice": ('{"__metadata__":null,"__metadata__":null}', 0, "twice"),
    "metadata of numbers": ('{"__metadata__":{"a":1}}', 0, "no string"),
    "metadata as a list": ('{"__metadata__":[]}', 0, "no '{'"),
    "unknown dtype": ('{"a":{"dtype":"F33",$A}}', 8, "'F33' is unknown.*F32"),
    "a dtype of two": ('{"a":{"dtype":{"F32":null,"F64":null},$A}}', 8, "several"),
    "a dtype of something": ('{"a":{"dtype":{"F32":{}},$A}}', 8, "not null"),
    "a list of four": ('{"a":["F32",[2],[0,8],0]}', 8, "more than three"),
    "a list of two": ('{"a":["F32",[2]]}', 8, "lacks"),
    "not an object": ("[]", 0, "no '{'"),
    "no tensor": ('{"a":null}', 0, "no '{'"),
    "empty": ("", 0, "no '{'"),
    "NUL at the end": ('{"a":{"dtype":"F32",$A}}\0', 8, "follows"),
    "cut short": ('{"a":{"dtype":"F32",$A}', 8, "no ','"),
    "trailing comma": ('{"a":{"dtype":"F32",$A},}', 8, "no string"),
    "NaN": ('{"a":{"x":NaN,"dtype":"F32",$A}}', 8, "no value"),
    "out of range": ('{"a":{"x":-1e999,"dtype":"F32",$A}}', 8, "out of range"),
    "long out of range": ('{"a":{"x":' + "9" * 5000 + ',"dtype":"F32",$A}}', 8, "out of range"),
    "too deep": ('{"a":{"x":' + "[" * 126 + "]" * 126 + ',"dtype":"F32",$A}}', 8, "deep"),
    "mismatched": ('{"a":{"x":[1},"dtype":"F32",$A}}', 8, "no ','"),
    "half a pair": (r'{"\ud800":{"dtype":"F32",$A}}', 8, "not UTF-8"),
    "half a pair, unread": (r'{"a":{"x":"\udc00","dtype":"F32",$A}}', 8, "not UTF-8"),
    "a line break in a name": ('{"a\nb":{"dtype":"F32",$A}}', 8, "no string"),
    "a mark of byte order": ('\ufeff{"a":{"dtype":"F32",$A}}', 8, "no '{'"),
    "bad UTF-8": (b'{"\xff":{"dtype":"F32",$A}}', 8, "not UTF-8"),
    "bad UTF-8, unread": (b'{"a":{"\xc0\x80":1,"dtype":"F32",$A}}', 8, "not UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(case):
    header, values = ACCEPTED[case]
    assert read_header(file(header, values)).start == 8 + len(spelled_out(header))


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_reason_and_what_to_do(case):
    header, values, reason = REFUSED[case]
    with pytest.raises(CheckpointError, match=f"model.file: .*{reason}") as caught:
        read_header(file(header, values), "model.file")
    assert caught.value.hint and "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_what_is_read():
    header, values = ACCEPTED["other order"]
    assert list(read_header(file(header, values)).entries.items()) == [
        ("a", Entry("U8", (), 0, 1)),
        ("b", Entry("U8", (1,), 1, 2)),
    ]
    assert read_header(file(*ACCEPTED["metadata"])).metadata == {"k": "w"}
    assert read_header(file(*ACCEPTED["null metadata"])).metadata is None
    assert list(read_header(file(*ACCEPTED["escapes"])).entries) == ["\U0001f600\n\0"]
    assert list(read_header(file(*ACCEPTED["a list"])).entries.values()) == [Entry("F32", (2,), 0, 8)]


@pytest.mark.parametrize("size", range(8))
def test_too_few_bytes(size):
    with pytest.raises(CheckpointError, match="a header alone takes 8"):
        read_header(bytes(size))


@pytest.mark.parametrize("N", [3, LONGEST_HEADER, LONGEST_HEADER + 1, 2**63, 2**64 - 1])
def test_a_header_longer_than_the_file(N):
    with pytest.raises(CheckpointError, match="claims a header"):
        read_header(file("{}", 0, N=N))


@pytest.mark.parametrize(
    "start, what",
    [(b"PK\x03\x04", "pickle"), (b"\x80\x02ccollections", "pickle"), (b"GGUF\x03\0\0\0", "GGUF"),
     (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"), (b"<!DOCTYPE html>", "web page")],
)  # fmt: skip
def test_other_files_are_called_by_their_name(start, what):
    with pytest.raises(CheckpointError, match=what):
        read_header(start + bytes(100))


def test_every_prefix_of_a_header_is_refused():
    for case in ("plain", "unknown keys", "escapes", "a list", "metadata"):
        text = spelled_out(ACCEPTED[case][0])
        for end in range(len(text)):
            with pytest.raises(CheckpointError):
                read_header(file(text[:end]))


def test_sizes():
    assert size_in_bytes("F64", ()) == 8 and size_in_bytes("F6_E2M3", (4,)) == 3
    assert size_in_bytes("U8", (2**61 - 1,)) == 2**61 - 1 and size_in_bytes("U8", (2**61,)) is None
    assert len(BITS) == 22


HOSTILE = {
    "a claimed shape": ('{"a":<U8 1152921504606846976 0,1152921504606846976>}', 1),
    "nested": ('{"a":{"x":' + "[" * 100_000 + ',"dtype":"F32"}}', 1),
    "many empty lists": ('{"a":{"x":[' + "[]," * 30_000 + '0],"dtype":"F32",$A}}', 1),
    "many keys unread": ('{"a":{"x":{' + '"":{},' * 15_000 + '"z":0},"dtype":"F32",$A}}', 1),
    "many keys of a tensor": ('{"a":{' + '"":1,' * 15_000 + '"dtype":"F32",$A}}', 1),
    "a long number": ('{"a":{"x":' + "9" * 300_000 + ',"dtype":"F32",$A}}', 3),
    "a long fraction": ('{"a":{"x":0.' + "9" * 300_000 + ',"dtype":"F32",$A}}', 3),
    "a long text": ('{"a":{"x":"' + "y\\n" * 100_000 + '","dtype":"F32",$A}}', 3),
    "open text": ('{"' + "\\\\" * 150_000, 3),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_memory_is_of_the_size_of_the_file(case):
    """The header is copied once; what is walked over leaves nothing behind, and claims allocate nothing."""
    header, texts = HOSTILE[case]
    data = file(header)
    tracemalloc.start()
    try:
        read_header(data)
    except CheckpointError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < (1 + texts) * len(data) + 100_000


def test_a_header_as_json_writes_it(rng):
    entries, end = {}, 0
    for n in range(50):
        size = int(rng.integers(0, 5))
        entries[f"layer.{n}.é"] = {"dtype": "F32", "shape": [size, 3], "data_offsets": [end, end + 12 * size]}
        end += 12 * size
    for text in (json.dumps(entries), json.dumps(entries, indent=3, ensure_ascii=False)):
        found = read_header(file(text, end)).entries
        assert {name: [e.dtype, list(e.shape), [e.begin, e.end]] for name, e in found.items()} == {
            name: list(e.values()) for name, e in entries.items()
        }
