"""One file a wire format: a call becomes a request, and the bytes of the reply become deltas.

Nothing here knows a socket, a clock or the environment, so one implementation serves blocking and asynchronous callers,
tests and fuzzing. A format's file is imported when it is first used.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from ..errors import BadRequestError

WIRES = ("openai_chat", "openai_responses", "anthropic", "gemini", "ollama")


def wire(name: str) -> Any:
    """Return a format's module: ``build_request(call, spec)``, ``Decoder()``, and where it has vectors ``build_embed``
    and ``decode_embed``.

    Raises:
        BadRequestError: there is no such format.

    Example:
        >>> wire("openai_chat").Decoder().feed(b"")
        []
    """
    if name not in WIRES:
        near = difflib.get_close_matches(name, WIRES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(WIRES)}"
        raise BadRequestError(f"there is no wire format {name!r}", hint)
    return importlib.import_module(f".{name}", __name__)
