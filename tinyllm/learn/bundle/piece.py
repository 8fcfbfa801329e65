"""One definition as it stands in the bundle: its docstring one line, no annotations, the bundle's names in it.

Nothing is written anew: the text is the author's, with its comments, and only what has to change is changed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

Chain = list[ast.expr]  # of a.b.c: the nodes of a, of a.b and of a.b.c
DECORATORS = ("kernel",)  # enter a function in tables that the bundle does not have


def chains(node: ast.stmt) -> Iterator[Chain]:
    """Yield what a definition takes from its surroundings: names, and what hangs on them by dots.

    Example:
        >>> [ast.unparse(chain[-1]) for chain in chains(ast.parse("def f(x): return np.exp(x) - y").body[0])]
        ['np.exp', 'y']
    """
    finder = _Finder(_bound(node))
    finder.visit(node)
    yield from finder.found


def piece(text: str, node: ast.stmt, name: str, renamed: Callable[[Chain], tuple[ast.expr, str] | None]) -> str:
    """Return the text of a definition, under another name.

    Args:
        text: of the file.
        node: of the definition, in that file.
        name: it is to have.
        renamed: chain -> which part of it is replaced, by which name; None where it stays as it is.

    Example:
        >>> text = 'def f(x: int) -> int:\\n    \"Do it.\"\\n    return kernels.exp(x)  # so\\n'
        >>> print(piece(text, ast.parse(text).body[0], "g", lambda chain: (chain[-1], "exp")))
        def g(x):
            \"\"\"Do it.\"\"\"
            return exp(x)  # so
    """
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def at(line: int, column: int) -> int:
        return starts[line - 1] + column

    def begin(part: ast.AST) -> int:
        return at(part.lineno, part.col_offset)  # type: ignore[attr-defined]

    def end(part: ast.AST) -> int:
        return at(part.end_lineno, part.end_col_offset)  # type: ignore[attr-defined]

    data = text.encode()
    edits: list[tuple[int, int, str]] = []
    for chain in chains(node):
        found = renamed(chain)
        if found is not None:
            edits.append((begin(found[0]), end(found[0]), found[1]))
    for part in ast.walk(node):
        if isinstance(part, (ast.FunctionDef, ast.ClassDef)):
            edits += _shorter(part, begin, end)
        if isinstance(part, ast.FunctionDef):
            for a in _annotated(part.args):
                equals = re.match(rb"\s*=\s*", data[end(a) :])
                edits.append((begin(a), end(a) + (equals.end() if equals else 0), a.arg + ("=" if equals else "")))
            if part.returns is not None:
                arrow = data.rindex(b"->", 0, begin(part.returns))
                edits.append((len(data[:arrow].rstrip()), end(part.returns), ""))
        if isinstance(part, ast.AnnAssign) and part.value is not None and not isinstance(node, ast.ClassDef):
            edits.append((end(part.target), end(part.annotation), ""))
        if _is_reference(part):
            edits += [(begin(part), begin(part.args[0]), ""), (end(part.args[0]), end(part), "")]  # type: ignore[attr-defined]
    kept: list[ast.expr] = []
    if isinstance(node, ast.FunctionDef):
        where = begin(node) + len("def ")
        edits.append((where, where + len(node.name.encode()), name))
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        kept = [d for d in node.decorator_list if not (isinstance(d, ast.Name) and d.id in DECORATORS)]
    first = begin(kept[0]) - len("@") if kept else begin(node)
    result, place = b"", first
    for start, stop, new in sorted(set(edits)):
        if start >= place:
            result += data[place:start] + new.encode()
            place = stop
    comment = re.match(rb"[^\S\n]*#[^\n]*", data[end(node) :])  # behind its last line
    return (result + data[place : end(node)] + (comment[0] if comment else b"")).decode()


class _Finder(ast.NodeVisitor):
    """Collects chains, passing over annotations and the decorators that fall away."""

    def __init__(self, bound: set[str]) -> None:
        self.bound = bound
        self.found: list[Chain] = []

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Take a chain whole, where a name is at its beginning."""
        chain: Chain = [node]
        while isinstance(chain[0], ast.Attribute):
            chain.insert(0, chain[0].value)
        if not isinstance(chain[0], ast.Name):
            self.generic_visit(node)
        elif chain[0].id not in self.bound:
            self.found.append(chain)

    def visit_Name(self, node: ast.Name) -> None:
        """Take a name by itself."""
        if isinstance(node.ctx, ast.Load) and node.id not in self.bound:
            self.found.append([node])

    def visit_Call(self, node: ast.Call) -> None:
        """``reference(door)(x)`` becomes ``door(x)``."""
        if _is_reference(node):
            self.visit(node.args[0])
        else:
            self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        """Pass over its annotation."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Look at the value only."""
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Look at defaults, body and the decorators that stay."""
        for part in [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None), *node.body]:
            self.visit(part)
        for decorator in node.decorator_list:
            if not (isinstance(decorator, ast.Name) and decorator.id in DECORATORS):
                self.visit(decorator)


def _bound(node: ast.stmt) -> set[str]:
    """Names that a definition gives a meaning to inside of itself."""
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return set()
    inside: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.arg):
            inside.add(part.arg)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            inside.add(part.id)
        elif isinstance(part, ast.ExceptHandler):
            inside |= {part.name} if part.name else set()
        elif isinstance(part, (ast.FunctionDef, ast.ClassDef)) and part is not node:
            inside.add(part.name)
    return inside


def _is_reference(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "reference"
        and len(node.args) == 1
    )


def _annotated(arguments: ast.arguments) -> list[ast.arg]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [a for a in every if a is not None and a.annotation is not None]


def _shorter(
    node: ast.FunctionDef | ast.ClassDef, begin: Callable[[ast.AST], int], end: Callable[[ast.AST], int]
) -> list[tuple[int, int, str]]:
    """Cut a docstring down to its first line."""
    doc = ast.get_docstring(node)
    if doc is None:
        return []
    first = doc.strip().splitlines()[0]
    mark = "r" if "\\" in first else ""
    return [(begin(node.body[0]), end(node.body[0]), f'{mark}"""{first}"""')]
