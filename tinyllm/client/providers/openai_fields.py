"""What both formats of OpenAI say in the same way: errors, counts of tokens, what a model takes, schemas, vectors.

Servers that copied the format copied it freely. What differs among them is a row of data (``Spec.capabilities``) where
it concerns requests, and is told from the reply itself where it concerns replies.
"""

from __future__ import annotations

import base64
import binascii
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import BadRequestError, ProtocolError
from ..frame import json_object
from ..types import Call, Embeddings, ErrorDelta, HttpRequest, Spec, Usage
from .adapter import count, embeddings, get, objects, post, refuse

NUMBERS = 4  # bytes of one in base64

# requests


def check(call: Call, spec: Spec, effort: object) -> None:
    """Refuse what this provider's row says its model does not take, before a request is paid for.

    Args:
        call: what is asked.
        spec: where it goes. A capability False means never; "effort none" means only of a model that does not reason.
        effort: of reasoning, as the request has it.

    Raises:
        UnsupportedParamError: the first such parameter.
    """
    for name in ("max_tokens", "temperature", "top_p", "stop", "seed", "tools", "tool_choice", "schema"):
        asked = getattr(call, name)
        if asked is None or asked == ():
            continue
        allowed = spec.capabilities.get(name)
        if allowed is False:
            raise refuse(spec, name, f"{call.model} does not take it")
        if allowed == "effort none" and effort != "none":
            raise refuse(
                spec, name, f"{call.model} takes it without reasoning only", "ask for the reasoning effort none"
            )


def word(spec: Spec, name: str, otherwise: str) -> str:
    """Return what this provider calls something.

    Example:
        >>> word(Spec("mistral", "openai_chat", capabilities={"seed": "random_seed"}), "seed", "seed")
        'random_seed'
    """
    found = spec.capabilities.get(name)
    return found if isinstance(found, str) else otherwise


def schema_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what asks for an answer by a schema; strictly where the schema allows that.

    Example:
        >>> schema_format({"type": "integer"})
        {'name': 'answer', 'schema': {'type': 'integer'}, 'strict': True}
    """
    return {"name": "answer", "schema": schema, "strict": is_strict(schema)}


def is_strict(schema: Any) -> bool:
    """Return whether every object in a schema is closed and requires all that it names: strict mode takes no other.

    Example:
        >>> is_strict({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
        False
    """
    queue = [schema]
    for one in queue:
        if isinstance(one, Mapping):
            if one.get("type") == "object" or "properties" in one:
                names = one.get("properties") or {}
                if one.get("additionalProperties") is not False or set(one.get("required") or ()) != set(names):
                    return False
            queue.extend(one.values())
        elif isinstance(one, list | tuple):
            queue.extend(one)
    return True


# replies


def error_of(frame: Mapping[str, Any], whole: bool = False) -> ErrorDelta | None:
    """Return the error that a frame is, if it is one.

    Args:
        frame: ``{"error": {...}}``, ``{"error": "text"}``, ``{"object": "error", ...}`` or ``{"type": "error", ...}``.
        whole: it is a whole reply and no answer: ``{"detail": ...}`` and ``{"message": ...}`` are errors, too.

    Example:
        >>> error_of({"error": {"message": "busy", "code": 502}})
        ErrorDelta(message='busy', type=None, code='502', status=502, body={'error': {'message': 'busy', 'code': 502}})
    """
    said = frame.get("error")
    if not said and (frame.get("object") == "error" or frame.get("type") == "error"):
        said = frame
    if not said and whole:
        said = frame.get("detail") or frame.get("errors") or (frame if isinstance(frame.get("message"), str) else None)
    if not said:
        return None
    if not isinstance(said, Mapping):
        return ErrorDelta(said if isinstance(said, str) else str(said)[:500], body=frame)
    code, kind, message = said.get("code"), said.get("type"), said.get("message")
    number = code if isinstance(code, int) else said.get("status")
    return ErrorDelta(
        message if isinstance(message, str) else "",
        kind if isinstance(kind, str) and kind != "error" else None,
        str(code) if isinstance(code, str | int) else None,
        number if isinstance(number, int) and 400 <= number <= 599 else None,
        frame,
    )


def usage_of(
    total: int | None,
    read: int | None,
    written: int | None,
    cached: int | None,
    stored: int | None,
    thought: int | None,
) -> Usage:
    """Split counts that contain each other into parts that do not.

    Args:
        total: of everything.
        read: in the prompt, with what came from a cache and what went to it.
        written: in the answer, with reasoning; if the total says so, without.
        cached, stored: read from a cache, and put there.
        thought: of reasoning.

    Example:
        >>> usage_of(72, 58, 14, 8, None, 4)
        Usage(input=50, output=10, cache_read=8, cache_write=None, reasoning=4)
    """
    if read is not None:
        read = max(0, read - (cached or 0) - (stored or 0))
    apart = (
        total is not None
        and thought
        and total == (read or 0) + (cached or 0) + (stored or 0) + (written or 0) + thought
    )
    if written is not None and not apart:
        written = max(0, written - (thought or 0))
    return Usage(read, written, cached, stored, thought)


# vectors


def build_embed(texts: Sequence[str], model: str, spec: Spec, dimensions: int | None = None) -> HttpRequest:
    """Return the request for vectors of texts.

    Raises:
        BadRequestError: there are no texts.
    """
    if not texts:
        raise BadRequestError(f"{spec.name}: no texts to embed", "give at least one", provider=spec.name)
    shape = "base64" if spec.capabilities.get("embed_base64") else "float"
    body: dict[str, Any] = {"model": model, "input": list(texts), "encoding_format": shape}
    if dimensions is not None:
        body["dimensions"] = dimensions
    return post(spec, "/embeddings", body)


def decode_embed(body: bytes) -> Embeddings | ErrorDelta:
    """Return the vectors of a reply, in the order of the texts; or the error that it holds.

    Raises:
        ProtocolError: it is neither.

    Example:
        >>> decode_embed(b'{"model": "m", "data": [{"index": 0, "embedding": [1, 2]}]}')[0]
        [1.0, 2.0]
    """
    reply = json_object(body.decode("utf-8-sig", "replace"))
    error = error_of(reply, whole="data" not in reply)
    if error is not None:
        return error
    rows = objects(reply, "data")
    places = [row.get("index", place) for place, row in enumerate(rows)]
    if not rows or not all(isinstance(place, int) for place in places) or sorted(places) != list(range(len(rows))):
        raise ProtocolError("the reply numbers its vectors wrongly, or has none", "try again with one text")
    vectors: list[Any] = [None] * len(rows)
    for place, row in zip(places, rows, strict=True):
        vectors[place] = _vector(row.get("embedding"))
    counts = get(reply, "usage", dict)
    return embeddings(vectors, "", get(reply, "model", str), Usage(input=count(counts, "prompt_tokens")))


def _vector(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("a vector of the reply is no base64", "try again with one text") from error
    if len(data) % NUMBERS:
        raise ProtocolError("a vector of the reply was cut off", "try again with one text")
    found = array("f", data)
    if sys.byteorder == "big":  # the wire is little-endian
        found.byteswap()
    return found.tolist()
