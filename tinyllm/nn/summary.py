"""A Module in words: its tree, with the shape of every parameter and how many numbers each branch holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .module import Module


@dataclass(frozen=True)
class Branch:
    """What is printed of one Module: two that are equal look the same."""

    text: str  # its class, its settings and its own parameters
    count: int  # of all numbers in it
    below: tuple[tuple[str, Branch], ...]  # (name, branch)


def summary(module: Module) -> str:
    """Write a Module as a tree, one line for each; equal neighbors in a list share theirs.

    A parameter that already appeared under another name is marked as tied and not counted again.

    Example:
        >>> import numpy as np
        >>> from tinyllm.nn import MLP
        >>> print(summary(MLP(4, 16, rng=np.random.default_rng(0))))
        MLP                                         148
          up    Linear  weight (16, 4), bias (16,)   80
          down  Linear  weight (4, 16), bias (4,)    68
    """
    rows = list(_rows("", branch_of(module, set()), 0))
    label = max(len(row[0]) for row in rows)
    text = max(len(row[1]) for row in rows)
    count = max(len(row[2]) for row in rows)
    body = [f"{row[0]:<{label}}  {row[1]:<{text}}  {row[2]:>{count}}" for row in rows[1:]]
    head = rows[0][1].ljust(label + 2 + text)
    return "\n".join([f"{head}  {rows[0][2]:>{count}}", *body])


def branch_of(module: Module, seen: set[int]) -> Branch:
    """Describe a Module and what is below it; ``seen`` holds the Modules and parameters that came before."""
    from .module import Module

    if id(module) in seen:
        return Branch(f"{type(module).__name__}, the same as above", 0, ())
    seen.add(id(module))
    own = [f"{name}={getattr(module, name)}" for name in module.shown]
    below: list[tuple[str, Branch]] = []
    count = 0
    for name, child in module.children():
        if isinstance(child, Module):
            below.append((name, branch_of(child, seen)))
            count += below[-1][1].count
        elif id(child) in seen:
            own.append(f"{name} {child.shape} tied")
        else:
            own.append(f"{name} {child.shape}")
            count += child.size
            seen.add(id(child))
    text = type(module).__name__ + ("  " + ", ".join(own) if own else "")
    return Branch(text, count, tuple(below))


def _rows(label: str, branch: Branch, depth: int, times: int = 1) -> Iterator[tuple[str, str, str]]:
    """Yield the columns of every line: the indented name, the text, the count."""
    text = branch.text if times == 1 else f"{times} x {branch.text}"
    yield "  " * depth + label, text, f"{times * branch.count:,}"
    for (stem, child), run in groupby(branch.below, key=lambda item: (_stem(item[0]), item[1])):
        names = [name for name, _ in run]
        label = names[0] if len(names) == 1 else f"{stem}.{_number(names[0])}-{_number(names[-1])}"
        yield from _rows(label, child, depth + 1, len(names))


def _stem(name: str) -> str:
    """Return "blocks" for "blocks.3", the name itself for anything that is not numbered."""
    return name.rpartition(".")[0] if _number(name).isdigit() else name


def _number(name: str) -> str:
    return name.rpartition(".")[2]
