"""A short text in, a list of ids out: calls that cost next to nothing.

Numba's dispatcher takes 1.6 us to see that it was given a str. Here a function is compiled for types known beforehand
and its machine code is called directly; two types of our own tell how it gets at the bytes of a str (as they are, for
ASCII text) and how it makes a list of ints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import NativeValue, box, intrinsic, models, register_model, unbox


class TextType(types.Type):
    """Seen from Python, a str; inside, where its UTF-8 bytes are and how many."""

    def __init__(self) -> None:
        super().__init__(name="tinyllm.Text")


class IdsType(types.Type):
    """Inside, where int32 ids are and how many; seen from Python, a list of ints."""

    def __init__(self) -> None:
        super().__init__(name="tinyllm.Ids")


TEXT_TYPE = TextType()
IDS_TYPE = IdsType()


@register_model(TextType)
@register_model(IdsType)
class _Span(models.StructModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, [("address", types.intp), ("size", types.intp)])


@unbox(TextType)
def _unbox_text(numba_type: Any, text: Any, c: Any) -> Any:
    ok, characters, size = c.pyapi.string_as_string_and_size(text)
    span = cgutils.create_struct_proxy(numba_type)(c.context, c.builder)
    span.address = c.builder.ptrtoint(characters, span.size.type)
    span.size = size
    return NativeValue(span._getvalue(), is_error=c.builder.not_(ok))


@box(IdsType)
def _box_ids(numba_type: Any, value: Any, c: Any) -> Any:
    span = cgutils.create_struct_proxy(numba_type)(c.context, c.builder, value=value)
    ids = c.builder.inttoptr(span.address, ir.IntType(32).as_pointer())
    made = c.pyapi.list_new(span.size)
    there_is_memory = cgutils.if_likely(c.builder, cgutils.is_not_null(c.builder, made))
    with there_is_memory, cgutils.for_range(c.builder, span.size) as loop:
        one = c.builder.sext(c.builder.load(c.builder.gep(ids, [loop.index])), ir.IntType(64))
        c.pyapi.list_setitem(made, loop.index, c.pyapi.long_from_longlong(one))
    return made


@intrinsic
def span_of(typing_context: Any, text: Any) -> Any:
    """Return where the bytes of a text are, and how many."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        span = cgutils.create_struct_proxy(signature.args[0])(context, builder, value=arguments[0])
        return context.make_tuple(builder, signature.return_type, (span.address, span.size))

    return types.UniTuple(types.intp, 2)(text), codegen


@intrinsic
def ids_at(typing_context: Any, address: Any, size: Any) -> Any:
    """Return the ids at an address as what becomes a list."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        span = cgutils.create_struct_proxy(signature.return_type)(context, builder)
        span.address, span.size = arguments
        return span._getvalue()

    return IDS_TYPE(types.intp, types.intp), codegen


def entry_point(function: Any, signature: Any) -> Callable[..., Any]:
    """Compile a kernel for a signature, or load it from the cache, and return its machine code as a function."""
    function.compile(signature.args)
    entry: Callable[..., Any] = function.overloads[signature.args].entry_point
    return entry
