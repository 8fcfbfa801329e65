"""A slot: the library function that an exercise asks for. (The least of it; the whole is written elsewhere.)"""

from __future__ import annotations

import inspect
import re
import textwrap
import types
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..autograd.op import Op
from ..errors import LearnError


@dataclass(frozen=True)
class Slot:
    """One function of the library."""

    module: str
    qualname: str
    function: Callable[..., Any]
    op: type[Op] | None
    part: str
    name: str

    @classmethod
    def of(cls, where: str) -> Slot:
        """Find it."""
        module, qualname = where.split(":")
        found: Any = import_module(module)
        op = None
        for piece in qualname.split("."):
            if isinstance(found, type) and issubclass(found, Op):
                op = found
            found = getattr(found, piece)
        part = qualname.split(".")[-1] if op else ""
        name = f"{op.name}_{part}" if op else qualname.split(".")[-1]
        return cls(module, qualname, found, op, part, name)

    @property
    def source(self) -> str:
        """Its text."""
        return textwrap.dedent(inspect.getsource(inspect.unwrap(self.function)))

    @property
    def docstring(self) -> str:
        """What it says of itself."""
        return inspect.getdoc(self.function) or (inspect.getdoc(self.op) if self.op else "") or ""

    @property
    def signature(self) -> str:
        """How it is called."""
        return str(inspect.signature(self.function))

    def solution(self) -> str:
        """The plain function that the learner could have written."""
        text = re.sub(r"^@.*\n", "", self.source, flags=re.M)
        return re.sub(r"^def \w+", f"def {self.name}", text, count=1)

    def patched(self, old: str, new: str) -> str:
        """The text with one piece changed."""
        if self.solution().count(old) != 1:
            raise LearnError(f"{self.name}: {old!r} occurs {self.solution().count(old)} times in its source, not once")
        return self.solution().replace(old, new)

    def make(self, text: str) -> Callable[..., Any]:
        """A function of a text."""
        namespace = dict(vars(import_module(self.module)))
        types.FunctionType(compile(text, f"<{self.name}>", "exec"), namespace)()
        made: Callable[..., Any] = namespace[self.name]
        return made
