"""Read the dated tables beside this file: they are data, since the wire moves faster than code should."""

from __future__ import annotations

import functools
import json
import pkgutil
from typing import Any


@functools.cache
def table(name: str) -> Any:
    """Return a file of ``client/data`` as JSON has it; nobody changes what is returned.

    Example:
        >>> sorted(table("models"))
        ['about', 'models', 'uses']
    """
    found = pkgutil.get_data(__package__, f"data/{name}.json")  # not importlib.resources, which takes 30 ms to import
    return json.loads(found or b"null")
