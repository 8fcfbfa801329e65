"""A function's source with what it needs: what belongs to it, what does not, and when it counts as changed."""

from __future__ import annotations

import ast

import pytest

from tinyllm.learn.work.source import fingerprint, function_of, is_stub, span, with_what_it_needs

FILE = """\
import numpy as np
import math, os
from typing import *

EPS = 1e-5
UNUSED = 2


def scaled(x):
    return x / root(x.shape[-1])


def root(n):
    return math.sqrt(n) + EPS


def other(x):
    return scaled(x)


def attend(q):
    return other(scaled(np.array(q)))


def unrelated():
    pass
"""


def test_helpers_come_along_and_others_do_not():
    text = with_what_it_needs(FILE, "attend", ["other", "attend"])
    tree = ast.parse(text)
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] == ["scaled", "root", "attend"]
    assert "EPS" in text and "UNUSED" not in text and "def unrelated" not in text
    assert "import numpy" in text and "import math" in text and "import *" in text


def test_a_function_that_is_not_there_is_empty():
    assert with_what_it_needs(FILE, "nothing") == ""


def test_helpers_that_need_each_other():
    text = "def f(x):\n    return g(x)\ndef g(x):\n    return f(x)\n"
    assert with_what_it_needs(text, "g").count("def ") == 2


def test_names_bound_in_blocks_and_changed_later_belong():
    text = "try:\n    import fast\nexcept ImportError:\n    fast = None\nT = {}\nT['a'] = 1\n"
    text += "def f():\n    return fast, T\n"
    assert with_what_it_needs(text, "f").replace("\n\n", "\n") == text


@pytest.mark.parametrize("mark", ["\x0c", "\u2028", "\x1c", "\x85"])
def test_marks_that_are_no_line_ends_in_python(mark):
    """str.splitlines takes them for line ends, Python does not."""
    text = f"A = '''{mark}'''\nB = 2\n\n\ndef f(x):\n    return x\n"
    assert with_what_it_needs(text, "f") == "def f(x):\n    return x\n"


def test_decorators_belong_to_their_function():
    text = "import functools\n\n@functools.cache\ndef f(x):\n    return x\n"
    node = function_of(ast.parse(text), "f")
    assert span(node) == (2, 5)
    assert "@functools.cache\ndef f" in with_what_it_needs(text, "f")


def test_the_last_of_two_counts():
    tree = ast.parse("def f():\n    return 1\ndef f():\n    return 2\n")
    assert function_of(tree, "f").lineno == 3
    assert function_of(tree, "g") is None


def test_a_stub_is_a_stub_only_of_its_exercise():
    def stub(text):
        return is_stub(ast.parse(text).body[0], "10.3")

    assert stub("def f(q):\n    '''Do.'''\n    # soon\n    raise NotImplementedError('10.3')")
    assert not stub("def f(q):\n    raise NotImplementedError('10.4')")
    assert not stub("def f(q):\n    q = 1\n    raise NotImplementedError('10.3')")
    assert not stub("def f(q):\n    pass")
    assert not stub("def f(q):\n    'Do.'")


def test_a_fingerprint_looks_at_what_the_code_does():
    one = "def f(x):\n    '''Do.'''\n    return x + 1  # so\n"
    assert fingerprint(one) == fingerprint("def f(x):\n\n    return (x+1)\n")
    assert fingerprint(one) != fingerprint("def f(x):\n    return x + 2\n")
    assert fingerprint("def f():\n    'Only this.'\n") == fingerprint("def f():\n    pass\n")
