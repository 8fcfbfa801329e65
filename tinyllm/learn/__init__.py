"""The learning engine: write a stage by hand, see it checked, and swap it into the running stack.

    with mine("10"):    what you wrote for lesson 10 runs in place of the library's own functions
    @solve("10.3")      check a function in a notebook
    say, claim, fig, predict, build, quick: what a lesson is written with

The library below knows nothing of this room: an exercise is a record (exercises/) that points at one of its functions.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "build": "text.lesson",
    "mine": "slots.swap",
    "solve": "loop.notebook",
    "hint": "loop.notebook",
    "claim": "text.lesson",
    "say": "text.lesson",
    "fig": "text.lesson",
    "predict": "text.lesson",
    "quick": "text.lesson",
}

__all__ = ["build", "claim", "fig", "hint", "mine", "predict", "quick", "say", "solve"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyllm.learn' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
