"""The JSON of one frame: an object or a ProtocolError, whatever the bytes were.

Python's parser takes NaN, raises RecursionError on a thousand brackets and ValueError on a number of five thousand
digits. A stream of a stranger may hold all three, so frames go through here.
"""

from __future__ import annotations

import json
from typing import Any

from .errors import ProtocolError

SHOWN = 60  # characters of a bad frame that the error's message shows


def json_value(text: str) -> Any:
    """Return what one JSON text says.

    Raises:
        ProtocolError: it is none; NaN and Infinity are none either.

    Example:
        >>> json_value("[1, 2]")
        [1, 2]
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(
            f"a frame of the reply is no JSON: {_shown(text)}",
            "the server, or a proxy before it, broke the stream: try again, or look at the body",
            body=text,
        ) from error


def json_object(text: str) -> dict[str, Any]:
    """Return what one JSON text says, which has to be an object.

    Raises:
        ProtocolError: it is no JSON, or JSON of another kind.

    Example:
        >>> json_object('{"done": true}')
        {'done': True}
    """
    value = json_value(text)
    if not isinstance(value, dict):
        raise ProtocolError(
            f"a frame of the reply is JSON but no object: {_shown(text)}",
            "is this the address of the service that you meant?",
            body=text,
        )
    return value


def is_whole(text: str) -> bool:
    """Return whether a text is an object or a list of JSON: one that was cut off never is.

    Example:
        >>> is_whole('{"a": 1}'), is_whole('{"a": 1'), is_whole("12")
        (True, False, False)
    """
    try:
        return isinstance(json_value(text), dict | list)
    except ProtocolError:
        return False


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")
