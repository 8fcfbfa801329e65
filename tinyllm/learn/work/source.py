"""A function in the learner's file: its text, what else in the file it needs, and whether that has changed.

Two texts count as the same function when they differ only in comments, blank lines and docstrings.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator


def function_of(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    """Return the definition of a function at the top of a file: the last of that name, which is the one that counts."""
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return found[-1] if found else None


def span(node: ast.stmt) -> tuple[int, int]:
    """Return the lines of a statement, decorators and all, as (index of the first, index behind the last).

    Example:
        >>> span(ast.parse("x = 1\\n@staticmethod\\ndef f():\\n    pass\\n").body[1])
        (1, 4)
    """
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return first - 1, node.end_lineno or node.lineno


def is_stub(node: ast.FunctionDef, exercise_id: str) -> bool:
    """Is it still to be written: does it do nothing but raise ``NotImplementedError`` with the exercise's id?

    Example:
        >>> is_stub(ast.parse("def f(x):\\n    'Do.'\\n    raise NotImplementedError('10.3')").body[0], "10.3")
        True
    """
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    wanted = ast.dump(ast.parse(f"raise NotImplementedError({exercise_id!r})").body[0])
    return len(body) == 1 and ast.dump(body[0]) == wanted


def with_what_it_needs(text: str, name: str, others: Iterable[str] = ()) -> str:
    """Return the text of a function, and before it that of all in its file that it needs, in the file's order.

    Args:
        text: of the file.
        name: of the function; a file without it gives "".
        others: functions to leave out: other exercises, which are not this one's to answer for.

    Example:
        >>> print(with_what_it_needs("a = 1\\nb = 2\\ndef f(x):\\n    return x + a\\n", "f"))
        a = 1
        <BLANKLINE>
        def f(x):
            return x + a
        <BLANKLINE>
    """
    tree = ast.parse(text)
    lines = text.split("\n")  # not splitlines: a form feed ends no line of Python
    left_out = set(others) - {name}
    needed, wanted = set(), [name] if function_of(tree, name) else []
    met: set[str] = set()
    while wanted:
        looked_for = wanted.pop()
        if looked_for in met or looked_for in left_out:
            continue
        met.add(looked_for)
        for i, statement in enumerate(tree.body):
            if i not in needed and looked_for in _bound(statement):
                needed.add(i)
                wanted += _used(statement)
    if needed:
        needed |= {i for i, s in enumerate(tree.body) if "*" in _bound(s)}
    parts = []
    for i in sorted(needed):
        first, last = span(tree.body[i])
        parts.append("\n".join(lines[first:last]) + "\n")
    return "\n".join(parts)


def fingerprint(source: str) -> str:
    """Return what identifies a source: equal for texts that differ only in comments, spacing and docstrings.

    Example:
        >>> fingerprint("def f(x):\\n    return x  # it") == fingerprint('def f(x):\\n    "Doc."\\n    return (x)')
        True
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a statement at the top of a file gives a meaning to; "*" for a star import."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    return set(_bindings(statement))


def _bindings(statement: ast.AST) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            base: ast.expr = node
            while isinstance(base, (ast.Attribute, ast.Subscript)):
                base = base.value
            if isinstance(base, ast.Name):
                yield base.id  # it changes what that name means


def _used(statement: ast.stmt) -> list[str]:
    return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
