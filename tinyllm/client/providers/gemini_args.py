"""A call's arguments in pieces, as Gemini may send them: each a value with its place, a long text in several.

{"jsonPath": "$.city", "stringValue": "Os", "willContinue": true}
{"jsonPath": "$.city", "stringValue": "lo"}
{"jsonPath": "$.days[0]", "numberValue": 3}                            together: {"city": "Oslo", "days": [3]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import ProtocolError
from .adapter import get

STEP = re.compile(r"""\.([^.\[\]\s]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
DEEPEST = 64


class PartialArgs:
    """A call's arguments, put together from values with their places.

    Example:
        >>> args = PartialArgs(0)
        >>> args.add({"jsonPath": "$.city", "stringValue": "Os", "willContinue": True})
        >>> args.add({"jsonPath": "$.city", "stringValue": "lo"})
        >>> args.add({"jsonPath": "$.days[0]", "numberValue": 3})
        >>> args.value
        {'city': 'Oslo', 'days': [3]}
    """

    def __init__(self, index: int, value: dict[str, Any] | None = None) -> None:
        self.index = index
        self.value: dict[str, Any] = dict(value or {})
        self._growing: dict[str, list[str]] = {}  # texts that have not ended, by their place

    def add(self, piece: Mapping[str, Any]) -> None:
        """Take one value, or more of a text.

        Raises:
            ProtocolError: its place is none, or already something else's.
        """
        path = get(piece, "jsonPath", str)
        if "stringValue" in piece:
            pieces = self._growing.setdefault(path, [])
            pieces.append(get(piece, "stringValue", str))
            if get(piece, "willContinue", bool):
                return
            value: Any = "".join(self._growing.pop(path))
        else:
            value = piece.get("numberValue", piece.get("boolValue"))
        self._put(path, value)

    def _put(self, path: str, value: Any) -> None:
        steps: list[str | int] = []
        place = 1
        while path[:1] == "$" and (found := STEP.match(path, place)):
            name = found[1] or found[3] or found[4] or ""
            steps.append(int(found[2]) if found[2] else name)
            place = found.end()
        if not steps or place != len(path) or len(steps) > DEEPEST:
            raise ProtocolError(f"a piece of a call's arguments has no place that we can read: {path[:80]!r}")
        here: Any = self.value
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            made: Any = value if following is None else [] if isinstance(following, int) else {}
            if isinstance(here, dict) and isinstance(step, str):
                here[step] = made if following is None else here.get(step, made)
            elif isinstance(here, list) and isinstance(step, int) and step <= len(here):
                if step == len(here):
                    here.append(made)
                elif following is None:
                    here[step] = made
            else:
                raise ProtocolError(f"a piece of a call's arguments is out of place: {path[:80]!r}")
            here = here[step]
