"""A slot: one function of the library that the learner writes; everything about it is read from its source.

The library is the answer key. Signature, docstring, solution and mutants are all made from the text of the function as
it stands in its file, so nothing is written twice and nothing can drift.

This is also the one place where text becomes a function that is not in any file (a mutant, a copy of the solution).
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import itertools
import linecache
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ...autograd.op import Op
from ...errors import LearnError
from ...kernels.table import DOORS

_numbers = itertools.count(1)  # of texts compiled here: a traceback finds each under a name of its own


@dataclass(frozen=True)
class Slot:
    """One function of the library, and what can be read from its source.

    Attributes:
        path: "module:Qualified.name".
        function: the library's own function; of a kernel, its NumPy reference.
        owner: the module or class that has it.
        attribute: its name there.
        op: the class, when it is part of an op.
        part: "forward" or "backward" of the op, else "".
        kernel: its name in the table of kernels, or "".
        name: what the learner calls it: ``Sum.backward`` is ``sum_backward``, a plain function keeps its name.
        file: where it is written.
        line: of its ``def``.
        source: its text, without decorators and indentation.
    """

    path: str
    function: FunctionType
    owner: Any
    attribute: str
    op: type[Op] | None
    part: str
    kernel: str
    name: str
    file: Path
    line: int
    source: str

    @staticmethod
    @functools.cache
    def of(path: str) -> Slot:
        """Find a slot.

        Args:
            path: "module:function" or "module:Class.method".

        Raises:
            LearnError: there is no such function, or it is not written in Python.

        Example:
            >>> slot = Slot.of("tinyllm.autograd.ops.reduce:Sum.backward")
            >>> slot.name, slot.part, slot.signature
            ('sum_backward', 'backward', '(ctx, dy)')
        """
        owner, attribute, value = _found(path)
        value = getattr(value, "__func__", value)  # a staticmethod
        value = getattr(value, "stands_for", value)  # somebody's function stands in its place just now
        kernel = attribute if DOORS.get(attribute) is value else ""
        function = value.__wrapped__ if kernel else value
        if not isinstance(function, FunctionType):
            raise LearnError(f"slot {path!r} is not a Python function, but {type(function).__name__}")
        lines, first = inspect.getsourcelines(function)
        text = textwrap.dedent("".join(lines))
        node = _definition(text)
        source = "".join(text.splitlines(keepends=True)[node.lineno - 1 :])
        op = owner if isinstance(owner, type) and issubclass(owner, Op) else None
        return Slot(
            path=path,
            function=function,
            owner=owner,
            attribute=attribute,
            op=op,
            part=attribute if op and attribute in ("forward", "backward") else "",
            kernel=kernel,
            name=f"{_snake(owner.__name__)}_{attribute}" if isinstance(owner, type) else attribute,
            file=Path(function.__code__.co_filename),
            line=first + node.lineno - 1,
            source=source,
        )

    @property
    def title(self) -> str:
        """What a receipt calls it: "Sum.backward", "attention.attend"."""
        module, _, qualified = self.path.partition(":")
        return qualified if "." in qualified else f"{module.rpartition('.')[2]}.{qualified}"

    @property
    def lines(self) -> range:
        """The numbers of its lines in its file."""
        return range(self.line, self.line + len(self.source.splitlines()))

    @property
    def module(self) -> ModuleType:
        """The module it is written in."""
        return import_module(self.path.partition(":")[0])

    @functools.cached_property
    def node(self) -> ast.FunctionDef:
        """Its definition, parsed."""
        return _definition(self.source)

    @property
    def signature(self) -> str:
        """Its parameters with their defaults, without annotations: "(x, axis=-1)"."""
        bare = copy.deepcopy(self.node.args)
        for argument in ast.walk(bare):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        return f"({ast.unparse(bare)})"

    @property
    def docstring(self) -> str:
        """What it says of itself; for a part of an op without a docstring, what the op says."""
        own = inspect.cleandoc(ast.get_docstring(self.node) or "")
        return own or inspect.cleandoc((self.op and self.op.__doc__) or "")

    @property
    def body(self) -> str:
        """Its text below signature and docstring, indented by four."""
        lines = self.source.splitlines(keepends=True)
        return "".join(lines[self._prose()[1] :])

    @property
    def names(self) -> tuple[str, ...]:
        """The names in its body that its module provides, in the order they are met.

        Example:
            >>> Slot.of("tinyllm.kernels.softmax:softmax").names
            ('np',)
        """
        bound = {a.arg for a in ast.walk(self.node.args) if isinstance(a, ast.arg)}
        met: dict[str, None] = {}
        for statement in self.node.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name):
                    if isinstance(node.ctx, ast.Load):
                        met[node.id] = None
                    else:
                        bound.add(node.id)
        there = vars(self.module)
        return tuple(name for name in met if name in there and name not in bound)

    def solution(self) -> str:
        """Return the text of the plain function that the learner could have written.

        Example:
            >>> print(Slot.of("tinyllm.train.bits:bits_per_byte").solution())
            def bits_per_byte(loss, bytes_per_token):
            ...
                return loss / math.log(2) / bytes_per_token
        """
        # a reference finds another through the table; in the learner's file it is a call like any other
        body = re.sub(r"\breference\((\w+)\)\(", r"\1(", self.body)
        return f"def {self.name}{self.signature}:\n{quoted(self.docstring)}{body}"

    def patched(self, old: str, new: str) -> str:
        """Return the source with ``new`` in place of ``old``.

        Raises:
            LearnError: ``old`` does not occur exactly once outside of the docstring.
        """
        first, last = self._prose()
        lines = self.source.splitlines(keepends=True)
        head, doc, body = ("".join(part) for part in (lines[:first], lines[first:last], lines[last:]))
        count = head.count(old) + body.count(old)
        if count != 1:
            raise LearnError(f"{old!r} occurs {count} times in {self.title}, not once", hint=f"see {self.where}")
        return head.replace(old, new) + doc + body.replace(old, new)

    def make(self, text: str) -> FunctionType:
        """Compile a function that sees what this one sees: the globals of its module, as they are at each call.

        Args:
            text: the source of the function, such as ``patched`` or ``solution`` return; further functions in it may
                help. The one of the slot's name is returned, else the last.

        Raises:
            LearnError: it is not Python, or holds no function.
        """
        filename = f"<{self.name} {next(_numbers)}>"
        try:
            parsed = ast.parse(text)
            names = [node.name for node in parsed.body if isinstance(node, ast.FunctionDef)]
            wanted = next((name for name in names if name in (self.name, self.attribute)), names[-1] if names else "")
            if not wanted:
                raise LearnError(f"a text for {self.title} holds no function", hint="def ...")
            # the text becomes the body of a function that gives it away: run in the module, it leaves no name there
            maker = _definition("def maker():\n    pass")
            maker.body = [*parsed.body, ast.Return(ast.Name(wanted, ast.Load()))]
            module = ast.fix_missing_locations(ast.Module([maker], []))
            code = next(c for c in compile(module, filename, "exec").co_consts if isinstance(c, CodeType))
        except SyntaxError as error:
            raise LearnError(f"a text for {self.title} is not Python: line {error.lineno}: {error.msg}") from error
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        function = FunctionType(code, vars(self.module))()
        function.__qualname__ = wanted
        return function

    def copy(self) -> FunctionType:
        """Return another function object with the same code: what to swap in to prove that a swap changes nothing."""
        twin = FunctionType(
            self.function.__code__,
            self.function.__globals__,
            self.name,
            self.function.__defaults__,
            self.function.__closure__,
        )
        twin.__kwdefaults__ = self.function.__kwdefaults__
        return twin

    @property
    def where(self) -> str:
        """Its file and line, from the folder of the package on: "tinyllm/kernels/softmax.py:17"."""
        parts = self.file.parts
        root = len(parts) - 1 - parts[::-1].index("tinyllm") if "tinyllm" in parts else -1
        return f"{'/'.join(parts[root:])}:{self.line}"

    def _prose(self) -> tuple[int, int]:
        """Where its docstring begins and ends, as indices of its lines; where it would stand when it has none."""
        first = self.node.body[0]
        if ast.get_docstring(self.node, clean=False) is not None:
            return first.lineno - 1, first.end_lineno or first.lineno
        lines = self.source.splitlines()
        end = max(getattr(node, "end_lineno", 1) for node in _header(self.node))
        while not lines[end - 1].partition("#")[0].rstrip().endswith(":"):
            end += 1
        return end, end


def quoted(docstring: str) -> str:
    r"""Write a docstring as source, indented by four; as a raw string where it holds a backslash.

    Example:
        >>> quoted("Say so.").count('"')
        6
    """
    if not docstring:
        return ""
    mark = 'r"""' if "\\" in docstring else '"""'
    end = '\n"""' if "\n" in docstring else '"""'
    return textwrap.indent(f"{mark}{docstring}{end}\n", "    ")


def _found(path: str) -> tuple[Any, str, Any]:
    """Return owner, attribute and value of "module:Qualified.name"."""
    module, _, qualified = path.partition(":")
    *classes, attribute = qualified.split(".")
    try:
        owner: Any = import_module(module)
        for name in classes:
            owner = getattr(owner, name)
        return owner, attribute, vars(owner)[attribute]
    except (ImportError, AttributeError, KeyError, ValueError) as error:
        raise LearnError(
            f"slot {path!r}: there is no such function", hint="module:function or module:Class.method"
        ) from error


def _definition(text: str) -> ast.FunctionDef:
    node = ast.parse(text).body[0]
    if not isinstance(node, ast.FunctionDef):
        raise LearnError(f"a slot is a function, and this is none: {text.splitlines()[0]}")
    return node


def _header(node: ast.FunctionDef) -> Iterator[ast.AST]:
    yield from ast.walk(node.args)
    if node.returns:
        yield node.returns


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
