"""One function for any model: the same messages in, the same deltas out, whoever answers; standard library alone.

    from tinyllm.client import complete, stream

    complete("Why is the sky blue?")                          # the provider whose key is set, or your own GPT
    complete("Why is the sky blue?", "groq", "a-model")       # one by name
    explain()                                                 # which one "auto" is, and why

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aio import AsyncStream, acomplete, aembed, astream
    from .api import Client, complete, embed, stream
    from .deadline import Timeout
    from .reading import Stream
    from .registry import explain
    from .retry import Retry
    from .types import Completion, Embeddings, Message, Tool, ToolCall, Usage

_HOMES = {
    "AsyncStream": "aio",
    "Client": "api",
    "Completion": "types",
    "Embeddings": "types",
    "Message": "types",
    "Retry": "retry",
    "Stream": "reading",
    "Timeout": "deadline",
    "Tool": "types",
    "ToolCall": "types",
    "Usage": "types",
    "acomplete": "aio",
    "aembed": "aio",
    "astream": "aio",
    "complete": "api",
    "embed": "api",
    "explain": "registry",
    "stream": "api",
}

__all__ = [
    "AsyncStream",
    "Client",
    "Completion",
    "Embeddings",
    "Message",
    "Retry",
    "Stream",
    "Timeout",
    "Tool",
    "ToolCall",
    "Usage",
    "acomplete",
    "aembed",
    "astream",
    "complete",
    "embed",
    "explain",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyllm.client' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
