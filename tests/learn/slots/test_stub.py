"""Stubs: they hold what a learner needs and nothing of the answer."""

from __future__ import annotations

import ast
from types import SimpleNamespace

import pytest

from tinyllm.learn.exercise import Lesson
from tinyllm.learn.slots import stub
from tinyllm.learn.slots.slot import Slot
from tinyllm.learn.work import source

from ..conftest import ALL, an_exercise


@pytest.mark.parametrize("number", ALL)
def test_a_stub_runs_and_says_which_exercise_it_is(number):
    text = stub.stub(ALL[number])
    slot = Slot.of(ALL[number].slot)
    tree = ast.parse(text)
    function = source.function_of(tree, slot.name)
    assert source.is_stub(function, number)
    names = {}
    module = ast.Module([node for node in tree.body if not isinstance(node, ast.ImportFrom)], [])
    assert compile(module, "stub", "exec")
    made = slot.make(stub.function_stub(ALL[number]))
    with pytest.raises(NotImplementedError, match=f"^{number}$"):
        made(*[None] * made.__code__.co_argcount)
    assert names == {}


@pytest.mark.parametrize("number", ALL)
def test_a_stub_has_nothing_of_the_answer(number):
    """No line of the library's body is in it, and no Backward line."""
    text, slot = stub.stub(ALL[number]), Slot.of(ALL[number].slot)
    assert not [line for line in text.splitlines() if line.strip().startswith("Backward")]
    lines = [line.partition("#")[0].strip() for line in slot.body.splitlines()]
    assert not [line for line in lines if len(line) > 12 and "ctx.saved" not in line and line in text]


def test_a_backward_shows_what_was_saved():
    assert "    Saved     p, axis = ctx.saved\n" in stub.stub(ALL["04.3"])
    text = stub.stub(ALL["03.3"])
    assert "    Saved     largest, axes = ctx.saved\n" in text
    assert "    Kink      where n entries are largest, each gets dy / n\n" in text


def test_one_saved_value_is_unpacked_with_a_comma():
    exercise = an_exercise("99.1", "tinyllm.autograd.ops.reduce:Cumsum.backward")
    assert "Saved     axis, = ctx.saved" in stub.stub(exercise)


def test_a_forward_shows_what_it_saves_and_not_the_backward():
    exercise = an_exercise("99.1", "tinyllm.autograd.ops.fused:Softmax.forward")
    text = stub.stub(exercise)
    assert "def softmax_forward(ctx, x, *, axis=-1):" in text
    assert "Forward   p_i = exp(x_i) / sum_j exp(x_j)" in text
    assert "    Saves     ctx.save(p, axis)\n" in text
    assert "dp" not in text


def test_an_answer_over_several_lines_goes_with_all_of_them():
    slot = Slot.of("tinyllm.kernels.attention:attend_backward")
    text = stub.task(slot)
    assert "dw = " not in text and "Shapes: q, dout and dq" in text
    assert "\n\n\n" not in text
    doc = "Do.\n\nForward   y = x\nBackward  dx = dy, where\n          it is so;\nand so on\nShapes    x -> y\n\nMore."
    slot = SimpleNamespace(docstring=doc, part="", op=None)
    assert stub.task(slot) == "Do.\n\nForward   y = x\nShapes    x -> y\n\nMore."


def test_imports_are_what_may_be_used_without_what_is_written_here():
    lesson = [ALL[n] for n in ALL if n.startswith("04")]
    assert stub.imports(lesson) == [
        "import numpy as np",
        "from tinyllm.kernels.cross_entropy import counted_rows",
    ]
    alone = stub.imports([ALL["04.4"]])
    assert "from tinyllm.kernels.softmax import logsumexp" in alone
    assert not [line for line in alone if "reference" in line]
    assert stub.imports([ALL["00.1"]]) == ["import math", "", "import numpy as np"]


@pytest.mark.parametrize("number", ALL)
def test_imports_say_where_things_are(number, tmp_path):
    """Run as it stands, every line finds what it names."""
    import importlib.util

    path = tmp_path / "alone.py"
    path.write_text(stub.stub(ALL[number]))
    spec = importlib.util.spec_from_file_location("alone", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    slot = Slot.of(ALL[number].slot)
    for name in set(slot.names) - {"reference"}:
        assert vars(module)[name] is vars(slot.module)[name]


def test_a_lessons_file_has_its_stubs_in_order():
    exercises = [ALL[n] for n in ALL if n.startswith("10")]
    text = stub.lesson_file(Lesson("10", "attention", "Attention", "How does a model look back?", 75, "", exercises))
    tree = ast.parse(text)
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert functions == ["causal_mask", "attend", "attend_backward", "split_heads", "merge_heads"]
    assert text.startswith("# Lesson 10: Attention.\n#\n# How does a model look back?\n")
    assert "tinyllm learn hint 10.1" in text
    assert text.count("import numpy as np") == 1
    assert all(len(line) <= 120 for line in text.splitlines())
