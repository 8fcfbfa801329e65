"""Where a function can be replaced: every name in the library that means it, and the references that no name reaches.

Names live in modules, classes and tables (dictionaries, nested or not); there one object is put in place of another.
A reference in a default argument, a list, a tuple, a set or a closure cannot be exchanged so: ``escapes`` finds them,
and a test forbids them for slots. The course (tinyllm.learn) is left alone: what it compares with is the library.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any


def replace(exchange: Mapping[int, Any], also: Iterable[dict[str, Any]] = ()) -> int:
    """Put one object in place of another wherever a name of the library means it; return at how many places.

    Args:
        exchange: the id of the object that is there -> the object that is to be there.
        also: further namespaces to look into.

    A staticmethod or classmethod around the object becomes one around its replacement.
    """
    count = 0
    for owner, key, value in list(_places(also)):
        inner = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        if id(inner) not in exchange:
            continue
        new = exchange[id(inner)]
        if inner is not value:
            new = type(value)(new)
        if isinstance(owner, dict):
            owner[key] = new
        else:
            setattr(owner, key, new)
        count += 1
    return count


def escapes(function: Any) -> list[str]:
    """Say where a function is referred to in a way that ``replace`` cannot reach.

    Example:
        >>> from tinyllm.autograd.unbroadcast import unbroadcast
        >>> escapes(unbroadcast)
        []
    """
    found = []
    for owner, key, value in _places():
        home = owner.get("__name__", "a table") if isinstance(owner, dict) else owner.__name__
        name = f"{home}.{key}"
        inner = getattr(value, "__func__", value)
        if isinstance(value, (list, tuple, set, frozenset)) and any(x is function for x in value):
            found.append(f"{name}, a {type(value).__name__}")
        if isinstance(inner, FunctionType):
            defaults = [*(inner.__defaults__ or ()), *(inner.__kwdefaults__ or {}).values()]
            if any(x is function for x in defaults):
                found.append(f"{name}, a default argument")
            if any(_content(cell) is function for cell in inner.__closure__ or ()):
                found.append(f"{name}, a closure")
    return sorted(set(found))


def _places(also: Iterable[dict[str, Any]] = ()) -> Iterator[tuple[Any, Any, Any]]:
    """Yield (dictionary or class, key, value) for all that has a name in the library, each owner once."""
    seen: set[int] = set()
    waiting: list[Any] = [vars(module) for name, module in list(sys.modules.items()) if module and _ours(name)]
    waiting += also
    while waiting:
        owner = waiting.pop()
        if id(owner) in seen:
            continue
        seen.add(id(owner))
        for key, value in list(owner.items() if isinstance(owner, dict) else vars(owner).items()):
            yield owner, key, value
            if (type(value) is dict and key != "__builtins__") or (isinstance(value, type) and _ours(value.__module__)):
                waiting.append(value)


def _ours(name: str) -> bool:
    """Is it a module of the library, and not of the course?"""
    parts = name.split(".")
    return parts[0] == "tinyllm" and parts[1:2] != ["learn"]


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None
