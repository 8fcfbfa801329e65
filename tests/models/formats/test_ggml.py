"""Block types: bytes written out by hand, values back, what rounding may cost, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinyllm import kernels
from tinyllm.errors import CheckpointError, ConfigError, DTypeError, NaNError, RangeError, ShapeError
from tinyllm.models.formats.ggml import BLOCK_TYPES, READABLE, Blocks, encode

F = np.float32


def test_bytes_of_plain_types():
    w = np.array([[1.0, -2.0], [0.5, 3.140625]])
    assert encode(w, "F32").raw.tobytes() == w.astype("<f4").tobytes()
    assert encode(w, "F16").raw.tobytes() == w.astype("<f2").tobytes()
    assert encode(w, "BF16").raw.tobytes().hex() == "803f00c0003f4940"


def test_bytes_of_a_block_of_8_bits():
    w = np.zeros(32, F)
    w[:5] = (
        127,
        -127,
        0.5,
        -1.5,
        np.nextafter(F(0.5), F(0)),
    )  # d = 1; a half goes away from zero, what is below does not
    assert encode(w, "Q8_0").raw.tobytes() == b"\x00\x3c" + bytes([127, 129, 1, 254, 0]) + bytes(27)


def test_bytes_of_a_block_of_4_bits():
    w = np.zeros(32, F)
    w[0], w[1], w[16], w[31] = -8, 7, 1.5, -0.5  # d = 1
    packed = [0 | 10 << 4, 15 | 8 << 4, *[8 | 8 << 4] * 13, 8 | 8 << 4]
    assert encode(w, "Q4_0").raw.tobytes() == b"\x00\x3c" + bytes(packed)
    packed[15] = 8 | 7 << 4
    w[31] = -0.625
    assert encode(w, "Q4_0").raw.tobytes() == b"\x00\x3c" + bytes(packed)


@pytest.mark.parametrize("kind", READABLE)
@pytest.mark.parametrize("shape", [(32,), (3, 64), (2, 3, 32), (0, 32), (5, 0), (2, 0, 32)])
def test_shapes_and_sizes(rng, kind, shape):
    w = rng.normal(size=shape).astype(F)
    blocks = encode(w, kind)
    assert blocks.shape == shape and blocks.raw.shape == (BLOCK_TYPES[kind].nbytes(shape),)
    again = blocks.array()
    assert again.shape == shape and again.dtype == F
    assert np.allclose(again, w, atol={"F32": 0, "F16": 2e-3, "BF16": 2e-2, "Q8_0": 2e-2, "Q4_0": 0.4}[kind], rtol=0)


def test_a_scalar_and_what_is_not_contiguous(rng):
    assert encode(np.float32(2.5), "F16").array() == 2.5
    w = rng.normal(size=(64, 6)).astype(F)
    assert np.array_equal(encode(w.T, "F32").array(), w.T)
    assert np.array_equal(encode(w.T, "Q8_0").array(), encode(np.ascontiguousarray(w.T), "Q8_0").array())


floats = arrays.arrays(
    F, st.tuples(st.integers(1, 3), st.sampled_from([32, 96])), elements=st.floats(-(2.0**12), 2.0**12, width=32)
)


@given(floats)
def test_round_trips(w):
    assert np.array_equal(encode(w, "F32").array(), w)
    for kind, bits in (("F16", 11), ("BF16", 8)):
        again = encode(w, kind).array()
        assert (np.abs(again - w) <= np.maximum(np.abs(w) * 2.0**-bits, 2.0**-25)).all()
        assert np.array_equal(encode(again, kind).array(), again)
    peak = np.abs(w).reshape(len(w), -1, 32).max(-1).repeat(32, -1)
    for kind, steps in (("Q8_0", 127 * 2), ("Q4_0", 8)):
        error = np.abs(encode(w, kind).array() - w)
        assert (error <= peak * (1 / steps + 2.0**-10) + 127 * 2.0**-25).all()


@given(arrays.arrays(np.uint16, (40,)))
def test_every_bf16_pattern_survives(bits):
    values = Blocks(BLOCK_TYPES["BF16"], (40,), bits.astype("<u2").view(np.uint8)).array()
    again = encode(values, "BF16").raw.view("<u2")
    ordinary = ~np.isnan(values)
    assert np.array_equal(again[ordinary], bits[ordinary])
    assert np.isnan(encode(values, "BF16").array()[~ordinary]).all()


def test_bf16_ties_go_to_the_even_neighbor():
    bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF, 0xFFFFFFFF, 0x7F800001], np.uint32)
    halves = encode(bits.view(F), "BF16").raw.view("<u2")
    assert [hex(half) for half in halves] == ["0x3f80", "0x3f82", "0x3f81", "0x7f80", "0xffff", "0x7fc0"]


@pytest.mark.parametrize(("kind", "linear"), [("Q8_0", kernels.linear_8), ("Q4_0", kernels.linear_4)])
def test_quants_are_what_the_kernels_take(rng, kind, linear):
    blocks = encode(rng.normal(size=(7, 64)).astype(F), kind)
    x = rng.normal(size=(3, 64)).astype(F)
    y = linear(x, *blocks.quants())
    assert np.allclose(y, x @ blocks.array().T, atol=1e-4)


def test_tiny_weights_become_zeros_without_a_warning():
    w = np.full((1, 32), 1e-40, F)
    for kind in ("Q8_0", "Q4_0"):
        assert not encode(w, kind).array().any()


@pytest.mark.parametrize("kind", READABLE)
def test_rows_are_views(rng, kind):
    blocks = encode(rng.normal(size=(5, 3, 32)), kind)
    some = blocks.rows(1, 4)
    assert np.shares_memory(some.raw, blocks.raw)
    assert np.array_equal(some.array(), blocks.array()[1:4])
    assert blocks.rows(5, 5).array().shape == (0, 3, 32)
    for start, stop in ((-1, 2), (3, 2), (0, 6)):
        with pytest.raises(RangeError):
            blocks.rows(start, stop)


def test_f32_is_a_view_unless_it_lies_askew(rng):
    blocks = encode(rng.normal(size=8).astype(F), "F32")
    assert np.shares_memory(blocks.array(), blocks.raw)
    askew = np.empty(33, np.uint8)[1:]
    askew[:] = blocks.raw
    values = Blocks(blocks.type, (8,), askew).array()
    assert values.flags.aligned and np.array_equal(values, blocks.array())


def test_what_is_refused():
    w = np.zeros((2, 32), F)
    with pytest.raises(ConfigError, match="no block type that is written"):
        encode(w, "Q4_K")
    with pytest.raises(DTypeError, match="int64"):
        encode(np.zeros(32, np.int64), "F32")
    with pytest.raises(ShapeError, match="33 values"):
        encode(np.zeros((2, 33), F), "Q8_0")
    with pytest.raises(ShapeError):
        encode(np.float32(1), "Q8_0")
    for bad in (np.nan, np.inf):
        with pytest.raises(NaNError):
            encode(np.full(32, bad, F), "Q8_0")
        assert np.array_equal(encode(np.full(32, bad, F), "F16").array(), np.full(32, bad, F), equal_nan=True)
    with pytest.raises(ConfigError, match="65,504"):
        encode(np.full(2, 1e5, F), "F16")
    with pytest.raises(ConfigError, match="beyond"):
        encode(np.full(2, 1e300), "F32")
    with pytest.raises(ShapeError):
        Blocks(BLOCK_TYPES["F32"], (3,), np.zeros(11, np.uint8))
    with pytest.raises(CheckpointError, match="not quants"):
        encode(w, "F32").quants()
    other = Blocks(BLOCK_TYPES["Q4_K"], (256,), np.zeros(144, np.uint8))
    for read in (other.array, other.quants):
        with pytest.raises(CheckpointError, match="Q4_K"):
            read()
