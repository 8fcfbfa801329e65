"""The bundle: every function of the course in one file on NumPy, the same functions still, and nobody's file lost."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from tinyllm.errors import LearnError
from tinyllm.learn.bundle import imported, joined, save
from tinyllm.learn.bundle.meaning import Definition, Foreign, Package, Source, meaning, member
from tinyllm.learn.bundle.piece import chains, piece
from tinyllm.learn.exercises import exercise, exercises, lessons
from tinyllm.learn.gates import bundle as gate
from tinyllm.learn.slots.slot import Slot


def shown(text: str, name: str = "f", **names: str) -> str:
    """The text of one definition, with some of the names in it replaced."""
    node = ast.parse(text).body[0]
    return piece(text, node, name, lambda chain: (chain[-1], names[ast.unparse(chain[-1])]) if names else None)


def test_every_function_is_in_it_and_nothing_but_numpy_is_needed():
    made = joined(exercises())
    assert made.lines <= 500 and made.yours == [] and len(made.library) == len(exercises())
    module = imported(made.text)
    for one in exercises():
        assert callable(getattr(module, Slot.of(one.slot).name))
    assert "tinyllm" not in {name.split(".")[0] for name in vars(module)}
    with pytest.raises(IndexError, match="targets are indices"):
        module.cross_entropy(np.zeros((1, 2)), np.array([5]), -100)


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.number)
def test_the_gate_lets_every_lesson_through(lesson):
    assert gate.r11_bundle(lesson) == []


def test_the_gate_says_what_is_wrong(monkeypatch):
    lesson = lessons()[-1]
    monkeypatch.setattr(gate, "LONGEST", 100)
    assert "more than 100" in gate.r11_bundle(lesson)[0]
    real = gate.joined

    def broken(chosen):
        made = real(chosen)
        made.text = made.text.replace("ds = ds * scale", "ds = ds")
        return made

    monkeypatch.setattr(gate, "LONGEST", 500)
    monkeypatch.setattr(gate, "joined", broken)
    assert gate.r11_bundle(lesson) == ["10.3: it does not pass from the bundle: dq"]


def test_an_import_of_anything_else_is_refused():
    with pytest.raises(LearnError, match=r"imports tinyllm\.kernels"):
        imported("def f():\n    from tinyllm.kernels import softmax\n")


def test_what_the_learner_wrote_takes_the_place_of_the_library_s_wherever_it_is_used(tmp_path):
    (tmp_path / "aids.py").write_text("HALF = 0.5\n\n\ndef twice(x):\n    return x / HALF\n")
    text = "import numpy as np\nfrom .aids import twice\n\n\ndef softmax(x):\n    return twice(np.exp(x)) / np.exp(x)\n"
    (tmp_path / "l04_next_byte.py").write_text(text)
    mine = Source.at(tmp_path / "l04_next_byte.py", "my")
    made = joined([exercise("04.2"), exercise("10.2")], {"04.2": mine})
    assert (made.yours, made.library) == (["04.2"], ["10.2"])
    module = imported(made.text)
    assert module.softmax(np.zeros(3)).tolist() == [2.0, 2.0, 2.0]
    weights = module.attend(np.zeros((1, 2)), np.zeros((1, 2)), np.ones((1, 2)), np.array([[True]]), 1.0)[1]
    assert weights.tolist() == [[2.0]]  # attention, the library's, stands on it
    assert made.text.index("HALF = 0.5") < made.text.index("def twice") < made.text.index("def softmax")


def test_two_functions_of_one_name_get_two_names():
    text = joined(exercises()).text
    names = [node.name for node in ast.parse(text).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert len(names) == len(set(names))
    assert "flip" in names and "attention_flip" in names


def test_a_name_is_followed_to_its_definition():
    found = meaning(Source.of("tinyllm.autograd.ops.linalg"), "kernels")
    assert found == Package("tinyllm.kernels")
    assert isinstance(found := member("tinyllm.kernels", "matmul"), Definition)
    assert found.key == ("tinyllm.kernels.matmul", "matmul")
    assert isinstance(found := member("tinyllm", "GPT"), Definition)  # loaded when it is asked for
    assert found.key == ("tinyllm.models.gpt", "GPT")
    assert meaning(Source.of("tinyllm.kernels.matmul"), "math") == Foreign("import math")
    assert meaning(Source.of("tinyllm.kernels.matmul"), "len") is None
    with pytest.raises(LearnError, match="no definition"):
        member("tinyllm.kernels", "no_such_thing")


def test_a_definition_loses_annotations_and_all_but_a_line_of_its_docstring():
    head = '@kernel\ndef f(x: int, *, y: float = 1.0) -> int:\n    """Do.\n\n    More.\n    """\n'
    text = f"{head}    z: int = x  # why\n    return z\n"
    assert shown(text, "g") == 'def g(x, *, y=1.0):\n    """Do."""\n    z = x  # why\n    return z'
    assert shown("LARGEST: int = 5  # of them\n") == "LARGEST = 5  # of them"


def test_only_what_comes_from_outside_is_renamed():
    text = "def f(exp):\n    return exp(a.b.c) + [log for log in exp] + reference(door)(é)\n"
    assert [ast.unparse(chain[-1]) for chain in chains(ast.parse(text).body[0])] == ["a.b.c", "door", "é"]
    new = shown(text, **{"a.b.c": "c", "door": "gate", "é": "e"})
    assert new == "def f(exp):\n    return exp(c) + [log for log in exp] + gate(e)"


def test_a_bundle_is_written_over_a_bundle_and_over_nothing_else(tmp_path):
    made, path = joined([exercise("04.2")]), tmp_path / "tiny_llm.py"
    save(made, path)
    first = path.read_text()
    save(joined([exercise("04.1")]), path)
    assert path.read_text() != first
    path.write_text(path.read_text() + "# mine\n")
    with pytest.raises(LearnError, match="no bundle as it was made"):
        save(made, path)
    assert path.read_text().endswith("# mine\n")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(LearnError, match="no bundle"):
        save(made, path)
