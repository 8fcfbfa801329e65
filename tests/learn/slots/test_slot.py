"""Slots: what is read from a function's source, and functions made from text."""

from __future__ import annotations

import traceback
from types import CodeType

import numpy as np
import pytest

from tinyllm import kernels
from tinyllm.autograd.ops.reduce import Sum
from tinyllm.errors import LearnError
from tinyllm.learn.slots.slot import Slot
from tinyllm.nn import attention

from ..conftest import ALL


def test_an_ops_backward():
    slot = Slot.of("tinyllm.autograd.ops.reduce:Sum.backward")
    assert (slot.owner, slot.attribute, slot.op, slot.part) == (Sum, "backward", Sum, "backward")
    assert slot.function is Sum.backward
    assert (slot.name, slot.title, slot.signature) == ("sum_backward", "Sum.backward", "(ctx, dy)")
    assert slot.source.startswith("def backward(ctx, dy):\n    shape, axes = ctx.saved")
    assert slot.docstring.startswith("Add up the entries") and "Backward" in slot.docstring
    lines = slot.file.read_text(encoding="utf-8").splitlines()
    assert [lines[n - 1].strip() for n in slot.lines] == [line.strip() for line in slot.source.splitlines()]
    assert slot.where == f"tinyllm/autograd/ops/reduce.py:{slot.line}"


def test_a_kernel_is_its_reference():
    slot = Slot.of("tinyllm.kernels.softmax:softmax")
    assert slot.kernel == "softmax" and slot.op is None and slot.part == ""
    assert slot.function is kernels.TABLE["softmax"]["numpy"]
    assert slot.source.startswith("def softmax(x: Array) -> Array:")
    assert slot.signature == "(x)"


def test_a_plain_function():
    slot = Slot.of("tinyllm.nn.attention:split_heads")
    assert slot.function is attention.split_heads
    assert slot.owner is attention
    assert (slot.name, slot.title, slot.kernel) == ("split_heads", "attention.split_heads", "")


def test_defaults_stay_in_the_signature():
    assert Slot.of("tinyllm.autograd.numeric:complex_step").signature == "(f, x, u, h=1e-20)"
    assert Slot.of("tinyllm.autograd.ops.fused:Softmax.forward").signature == "(ctx, x, *, axis=-1)"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tinyllm.nn",
        "tinyllm.nn:",
        "no.such.module:f",
        "tinyllm.nn.attention:nothing",
        "tinyllm.nn.attention:A.b",
        ":f",
    ],
)
def test_what_is_not_there_is_named(path):
    with pytest.raises(LearnError, match="there is no such function"):
        Slot.of(path)


def test_what_is_no_function_is_named():
    with pytest.raises(LearnError, match="not a Python function, but type"):
        Slot.of("tinyllm.nn.attention:SelfAttention")


def test_inherited_is_not_declared():
    with pytest.raises(LearnError, match="no such function"):
        Slot.of("tinyllm.autograd.ops.reduce:Sum.apply")


def parts(function):
    """What the code is made of, but for its docstring."""
    code = function.__code__
    consts = {c for c in code.co_consts if not isinstance(c, CodeType) and c != function.__doc__}
    return set(code.co_names), consts, code.co_varnames


@pytest.mark.parametrize("number", ALL)
def test_every_solution_is_a_function_that_does_the_same(number):
    """Compiled from its text it has the library's code, but for where it is."""
    slot = Slot.of(ALL[number].slot)
    for text in (slot.source, slot.solution()):
        made = slot.make(text)
        assert made.__globals__ is slot.function.__globals__
        assert made.__code__.co_varnames == slot.function.__code__.co_varnames
    assert parts(slot.make(slot.source)) == parts(slot.function)
    assert slot.solution().startswith(f"def {slot.name}{slot.signature}:\n")
    assert slot.docstring.splitlines()[0] in slot.solution()


def test_a_solution_calls_other_kernels_by_name():
    solution = Slot.of("tinyllm.kernels.attention:attend").solution()
    assert "w = softmax(np.where(" in solution and "reference" not in solution


def test_a_patch_applies_exactly_once():
    slot = Slot.of("tinyllm.kernels.attention:attend_backward")
    assert "flip(ds) @ q" in slot.body
    mutant = slot.make(slot.patched("flip(ds) @ q", "ds @ q"))
    q = np.arange(4.0).reshape(2, 2)
    w = np.array([[1.0, 0.0], [0.25, 0.75]])
    right, wrong = slot.function(q, q, q, w, q, 1.0), mutant(q, q, q, w, q, 1.0)
    np.testing.assert_array_equal(right[0], wrong[0])
    assert not np.array_equal(right[1], wrong[1])
    for old, times in (("ds", r"\d+"), ("not there", "0")):
        with pytest.raises(LearnError, match=f"occurs {times} times in attention.attend_backward, not once"):
            slot.patched(old, "x")


def test_a_patch_leaves_the_docstring_out_of_it():
    slot = Slot.of("tinyllm.kernels.attention:attend")
    assert "out = w v" in slot.docstring
    with pytest.raises(LearnError, match="occurs 0 times"):
        slot.patched("out = w v", "x")
    assert slot.patched("return w @ v, w", "return v, w") != slot.source


def test_a_made_function_sees_the_module_as_it_is_at_each_call(monkeypatch):
    slot = Slot.of("tinyllm.kernels.attention:attend_backward")
    made = slot.make(slot.source)
    monkeypatch.setattr(slot.module, "flip", lambda a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made(*[np.ones((2, 2))] * 5, 1.0)


def test_made_functions_leave_no_name_in_the_module_and_may_have_helpers():
    slot = Slot.of("tinyllm.nn.attention:merge_heads")
    before = dict(vars(slot.module))
    text = "SIX = 6\ndef double(x):\n    return 2 * x\n\ndef merge_heads(x, y=SIX):\n    return double(x) + y\n"
    made = slot.make(text)
    assert made(1) == 8 and made.__name__ == made.__qualname__ == "merge_heads"
    assert slot.make(text + "\ndef another():\n    pass\n")(1) == 8
    assert slot.make("def own_name(x):\n    return x\n").__name__ == "own_name"
    assert vars(slot.module) == before


def test_a_traceback_through_a_made_function_shows_its_lines():
    slot = Slot.of("tinyllm.nn.attention:merge_heads")
    made = slot.make("def merge_heads(x):\n    return x / 0  # here\n")
    try:
        made(1)
    except ZeroDivisionError:
        assert "return x / 0  # here" in traceback.format_exc()


@pytest.mark.parametrize("text", ["def f(:\n", "x = 1\n", "", "def f():\n  return 1\n return 2"])
def test_a_text_that_is_no_function_is_refused(text):
    with pytest.raises(LearnError, match=r"a text for attention.merge_heads (is not Python|holds no function)"):
        Slot.of("tinyllm.nn.attention:merge_heads").make(text)


def test_a_copy_is_another_function_with_the_same_code():
    slot = Slot.of("tinyllm.autograd.numeric:central_difference")
    copy = slot.copy()
    assert copy is not slot.function and copy.__code__ is slot.function.__code__
    assert copy(np.sin, 1.0, 1.0) == slot.function(np.sin, 1.0, 1.0)
