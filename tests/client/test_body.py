"""Bodies: packed ones come out as they went in, at any split, and bombs do not go off."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from tinyllm.client import errors
from tinyllm.client.body import FREE, RATIO, Body
from tinyllm.client.deadline import Deadline
from tinyllm.client.dial import PIECE

TEXT = b"data: hello, hello, hello\n\n" * 20


def bare(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": ("gzip", gzip.compress(TEXT)),
    "x-gzip": ("X-Gzip", gzip.compress(TEXT)),
    "two members": ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
    "zeros behind it": ("gzip", gzip.compress(TEXT) + bytes(20)),
    "deflate": ("deflate", zlib.compress(TEXT)),
    "bare deflate": ("deflate", bare(TEXT)),
    "identity": ("identity", TEXT),
}


class Wire:
    """What a body asks of a line, over bytes that are here: each piece is one read."""

    def __init__(self, *pieces):
        self.pieces, self.deadline, self.reader = list(pieces), Deadline(), self

    def read1(self, most):
        if not self.pieces:
            return b""
        piece, rest = self.pieces[0][:most], self.pieces[0][most:]
        self.pieces[:1] = [rest] if rest else []
        return piece


def unpacked(coding, *pieces, largest=1 << 30):
    return Body(Wire(*pieces), "api.example", {"content-encoding": coding}, empty=False, largest=largest)


@pytest.mark.parametrize(("coding", "data"), PACKED.values(), ids=PACKED)
def test_packed_bodies_at_any_split(coding, data):
    assert b"".join(unpacked(coding, data)) == TEXT
    assert b"".join(unpacked(coding, *(data[i : i + 1] for i in range(len(data))))) == TEXT
    for cut in range(1, len(data)):
        assert b"".join(unpacked(coding, data[:cut], data[cut:])) == TEXT


@pytest.mark.parametrize("name", ["gzip", "two members", "deflate", "bare deflate"])
def test_a_cut_in_a_packed_body_is_an_error(name):
    coding, data = PACKED[name]
    for cut in range(1, len(data)):
        got = []
        try:
            got += unpacked(coding, data[:cut])
        except errors.TruncatedError:
            continue
        assert name == "two members" and b"".join(got) == TEXT[:100], cut  # cut between them: that one is whole


def test_an_empty_body_needs_no_unpacking():
    assert list(unpacked("gzip")) == []


def test_what_was_flushed_comes_at_once():
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"data: a\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    rest = packer.compress(b"data: b\n\n") + packer.flush()
    assert list(unpacked("gzip", first, rest)) == [b"data: a\n\n", b"data: b\n\n"]


@pytest.mark.parametrize(
    ("coding", "data"), [("gzip", b"hello"), ("deflate", b"\xff" * 9), ("gzip", gzip.compress(TEXT) + b"??")]
)
def test_damaged_packing(coding, data):
    with pytest.raises(errors.ProtocolError, match="damaged"):
        list(unpacked(coding, data))


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bare])
def test_a_bomb_does_not_go_off(pack):
    bomb = pack(bytes(20 << 20))
    body = unpacked("gzip" if pack is gzip.compress else "deflate", bomb)
    size = 0
    tracemalloc.start()
    try:
        with pytest.raises(errors.ProtocolError, match="unpack to"):
            for piece in body:
                assert len(piece) <= PIECE
                size += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size <= FREE + RATIO * len(bomb) and peak < 1 << 20


def test_a_packed_body_may_not_be_larger_than_allowed():
    with pytest.raises(errors.ProtocolError, match="more than 100 bytes"):
        list(unpacked("gzip", gzip.compress(TEXT), largest=100))


def test_a_piece_that_fills_the_buffer_exactly():
    for size in (PIECE - 1, PIECE, PIECE + 1, 2 * PIECE):
        data = b"a" * size
        assert b"".join(unpacked("deflate", zlib.compress(data))) == data
