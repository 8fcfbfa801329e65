"""Einstein's sum: one line of letters says which axes meet, which are summed, and which stay."""

from __future__ import annotations

import numpy as np

from ...errors import ShapeError
from ..draw import given
from ..op import Op


class Einsum(Op):
    r"""Multiply arrays along axes that share a letter, and sum over every letter that the result does not name.

    Forward   y_out = sum over the other letters of x_1 x_2 ...
    Backward  dx_k = einsum over dy and the other operands, with the letters of x_k as the result
    Shapes    operands (...), ... -> y (the letters after the arrow)

    Without an arrow the letters that occur once stay, in alphabetical order, as in NumPy. An ellipsis is not taken:
    name the axes. A size 1 does not stretch: letters that meet have one size.

    Example:
        >>> import tinyllm as tl
        >>> q, k = np.zeros((2, 5, 3)), np.zeros((2, 7, 3))
        >>> tl.einsum("btd,bsd->bts", q, k).shape
        (2, 5, 7)
    """

    method = False

    def samples(draw):
        yield given(draw(2, 3, 5), draw(2, 5, 7), subscripts="bij,bjk->bik")
        yield given(draw(3, 5), draw(5, 7), subscripts="ij, jk")
        yield given(draw(3, 5), subscripts="ij->ji")
        yield given(draw(2, 3, 5), subscripts="ijk->j")  # i and k are summed out
        yield given(draw(5, 5), subscripts="ii->i")  # the diagonal
        yield given(draw(5, 5), subscripts="ii")  # the trace
        yield given(draw(3, 3, 2), draw(3), subscripts="iik,i->k")
        yield given(draw(3), draw(5), subscripts="i,j->ij")
        yield given(draw(3, 5), draw(7), subscripts="ij,k->i")  # j and k are summed out, each on its own
        yield given(draw(2, 3), draw(3, 5), draw(5, 7), subscripts="ab,bc,cd->ad")
        yield given(draw(), draw(3), subscripts=",i->i")
        yield given(draw(), subscripts="->")
        yield given(draw(0, 3), draw(3, 2), subscripts="ij,jk->ik")
        yield given(draw(5, 5), draw(5, 5), subscripts="ij,ji->")

    def bad(draw):
        yield given(draw(3, 5), draw(7, 2), subscripts="ij,jk->ik"), ShapeError, "j is 5 in operand 1 and 7 in"
        yield given(draw(3, 5), subscripts="ijk->i"), ShapeError, r"'ijk' names 3 axes, operand 1 \(3, 5\) has 2"
        yield given(draw(3, 5), subscripts="ij,jk->ik"), ShapeError, "2 operands, and 1 was given"
        yield given(draw(3, 5), subscripts="ij->ik"), ShapeError, "k .*in no operand"
        yield given(draw(3, 5), subscripts="ij->ii"), ShapeError, "i twice"
        yield given(draw(3, 5), subscripts="...j->j"), ShapeError, "ellipsis"
        yield given(draw(3, 5), subscripts="i1->i"), ShapeError, "'1' is not a letter"

    def call(subscripts, *operands):
        return Einsum.apply(*operands, subscripts=subscripts)

    def forward(ctx, *operands, subscripts):
        inputs, out, sizes = read(subscripts, operands)
        ctx.save(operands, inputs, out, sizes)
        return contract([*inputs, out], operands)

    def backward(ctx, dy):
        operands, inputs, out, sizes = ctx.saved
        wanted = [ctx.wants(k) for k in range(len(operands))]
        return tuple(_swapped(k, dy, operands, inputs, out, sizes) if w else None for k, w in enumerate(wanted))


def _swapped(k, dy, operands, inputs, out, sizes):
    """Return the gradient of operand k: dy takes its place among the operands, and its letters become the result."""
    letters = "".join(dict.fromkeys(inputs[k]))  # a letter that occurs twice means the diagonal: count it once
    terms = [out, *inputs[:k], *inputs[k + 1 :]]
    arrays = [dy, *operands[:k], *operands[k + 1 :]]
    for letter in letters:
        if not any(letter in term for term in terms):  # in the forward pass it was summed out here, and only here;
            terms.append(letter)  # so now every place along it gets the same
            arrays.append(np.ones(sizes[letter], dtype=dy.dtype))
    dx = contract([*terms, letters], arrays)
    if letters == inputs[k]:
        return dx
    full = np.zeros([sizes[letter] for letter in inputs[k]], dtype=dx.dtype)
    np.einsum(f"{inputs[k]}->{letters}", full)[...] = dx  # a view of the diagonal: what lies off it took no part
    return full


def contract(terms, arrays):
    """Run NumPy's einsum; the last of ``terms`` is the result. With several arrays it may use matrix products."""
    return np.einsum(f"{','.join(terms[:-1])}->{terms[-1]}", *arrays, optimize=len(arrays) > 1)


def read(subscripts, operands):
    """Return the letters of each operand, those of the result, and each letter's size; refuse what does not fit."""
    text = subscripts.replace(" ", "")
    left, arrow, out = text.partition("->")
    inputs = left.split(",")
    said = f"einsum {subscripts!r}"
    if "." in text:
        raise ShapeError(f"{said}: an ellipsis is not taken", hint="a letter for every axis")
    strange = next((c for c in left.replace(",", "") + out if not (c.isascii() and c.isalpha())), None)
    if strange:
        raise ShapeError(f"{said}: {strange!r} is not a letter")
    if len(inputs) != len(operands):
        was = "was" if len(operands) == 1 else "were"
        raise ShapeError(f"{said} is about {len(inputs)} operands, and {len(operands)} {was} given")
    sizes = {}  # letter -> (the operand it was first seen in, its size)
    for number, (letters, x) in enumerate(zip(inputs, operands, strict=True), start=1):
        if len(letters) != x.ndim:
            raise ShapeError(f"{said}: {letters!r} names {len(letters)} axes, operand {number} {x.shape} has {x.ndim}")
        for letter, size in zip(letters, x.shape, strict=True):
            first, known = sizes.setdefault(letter, (number, size))
            if known != size:
                raise ShapeError(f"{said}: {letter} is {known} in operand {first} and {size} in operand {number}")
    if not arrow:
        out = "".join(sorted(letter for letter in sizes if left.count(letter) == 1))
    for letter in out:
        if letter not in sizes:
            raise ShapeError(f"{said}: the result's {letter} is in no operand")
        if out.count(letter) > 1:
            raise ShapeError(f"{said}: the result names {letter} twice")
    return inputs, out, {letter: size for letter, (_, size) in sizes.items()}
