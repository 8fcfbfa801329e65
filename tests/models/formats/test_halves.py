"""BF16: every bit pattern read, rounding held to exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.errors import DTypeError
from tinyllm.models.formats.halves import TILE, bf16_to_float32, float32_to_bf16

ALL = np.arange(1 << 16, dtype=np.uint16)
FINITE = (ALL & 0x7F80) != 0x7F80


def bits32(*patterns: int):
    return np.array(patterns, np.uint32).view(np.float32)


def by_hand(bits: int) -> Fraction:
    """The value of a finite BF16 from its three fields."""
    sign, exponent, fraction = bits >> 15, (bits >> 7) & 0xFF, bits & 0x7F
    size = Fraction(128 + fraction, 128) if exponent else Fraction(fraction, 64)
    return (-1) ** sign * size * Fraction(2) ** (exponent - 127)


def test_every_pattern_reads_as_its_fields_say():
    values = bf16_to_float32(ALL)
    for bits in ALL[FINITE][::7]:
        assert Fraction(float(values[bits])) == by_hand(int(bits))
    assert values[0x7F80] == np.inf and values[0xFF80] == -np.inf
    assert np.isnan(values[~FINITE & ((ALL & 0x7F) != 0)]).all()


def test_every_number_comes_back_as_it_was():
    back = float32_to_bf16(bf16_to_float32(ALL))
    number = FINITE | ((ALL & 0x7F) == 0)
    assert np.array_equal(back[number], ALL[number])
    assert np.array_equal(back[~number], ALL[~number] | 0x40)  # a NaN stays one, and becomes quiet


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
def test_rounds_to_the_nearest_and_ties_to_even(patterns):
    x = bits32(*patterns)
    for value, bits in zip(x, float32_to_bf16(x), strict=True):
        if np.isnan(value):
            assert np.isnan(bf16_to_float32(bits[None])[0])
        elif np.isinf(value):
            assert bf16_to_float32(bits[None])[0] == value
        elif bits & 0x7FFF != 0x7F80:
            exact, got = Fraction(float(value)), int(bits)
            off = abs(by_hand(got) - exact)
            for neighbor in (got - 1, got + 1):
                if neighbor & 0x7F80 != 0x7F80 and (neighbor ^ got) & 0x8000 == 0:
                    far = abs(by_hand(neighbor & 0xFFFF) - exact)
                    assert off < far or (off == far and got % 2 == 0)


@pytest.mark.parametrize(
    "wide, half",
    [
        (0x3F808000, 0x3F80),  # half way, and the lower neighbor is even
        (0x3F818000, 0x3F82),  # half way, and the upper one is
        (0x3F808001, 0x3F81),
        (0x3F817FFF, 0x3F81),
        (0x7F7FFFFF, 0x7F80),  # float32's largest is beyond BF16's
        (0x7F7F7FFF, 0x7F7F),
        (0xFF7F8000, 0xFF80),
        (0x80000000, 0x8000),  # minus zero
        (0x00000001, 0x0000),
        (0x7F800001, 0x7FC0),  # a NaN of which nothing would be left
        (0xFFFFFFFF, 0xFFFF),  # a NaN whose sum would wrap around
    ],
)
def test_edges(wide, half):
    assert float32_to_bf16(bits32(wide))[0] == half


def test_shapes_strides_tiles_and_byte_order(rng):
    x = rng.normal(size=(3, 5, 7)).astype(np.float32)
    bits = float32_to_bf16(x)
    assert bits.shape == x.shape and np.array_equal(float32_to_bf16(x.T), bits.T)
    assert np.array_equal(float32_to_bf16(x.astype(">f4")), bits)
    assert np.array_equal(bf16_to_float32(bits.astype(">u2")), bf16_to_float32(bits))
    assert np.array_equal(bf16_to_float32(bits[:, ::2].T), bf16_to_float32(bits)[:, ::2].T)
    assert float32_to_bf16(np.float32(1.0)).shape == () and float32_to_bf16(np.zeros((0, 3), np.float32)).shape == (
        0,
        3,
    )
    long = np.arange(2 * TILE + 3, dtype=np.float32)
    assert np.array_equal(
        float32_to_bf16(long), np.concatenate([float32_to_bf16(long[i:][:99]) for i in range(0, long.size, 99)])
    )
    packed = np.frombuffer(b"\0" + bits.tobytes(), np.uint8)[1:].view(np.uint16)  # not aligned
    assert np.array_equal(bf16_to_float32(packed), bf16_to_float32(bits).reshape(-1))


def test_other_types_are_refused():
    with pytest.raises(DTypeError, match="astype"):
        float32_to_bf16(np.zeros(3))
    with pytest.raises(DTypeError, match="uint16"):
        bf16_to_float32(np.zeros(3, np.int16))
