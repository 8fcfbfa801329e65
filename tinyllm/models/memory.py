"""The memory that is free, and the refusal of models that it cannot hold, before anything is allocated.

The system hands out memory that it does not have, and ends the process when that is used. So a model that is too large
has to be refused by its config.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MemoryShortError
from .config import GPTConfig
from .footprint import count
from .llama_config import LlamaConfig

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MEMINFO = Path("/proc/meminfo")


def refuse_unloadable(config: GPTConfig | LlamaConfig, dtype: Any = np.float32, memory: int | None = None) -> None:
    """Refuse a model that does not even fit by itself.

    Args:
        config: of the model.
        dtype: of its numbers.
        memory: bytes that may be used; what is free now, unless told otherwise.

    Raises:
        MemoryShortError: it does not fit.

    Example:
        >>> refuse_unloadable(GPTConfig(), memory=10**8)
        Traceback (most recent call last):
            ...
        tinyllm.errors.MemoryShortError: E-MEMORY the model has 124,439,808 parameters and takes 498 MB in float32, ...
    """
    parameters = count(config)
    needs, memory = parameters * np.dtype(dtype).itemsize, free_memory() if memory is None else memory
    if needs > memory:
        most = memory // np.dtype(dtype).itemsize
        smaller = f"a model of at most {most / 1e6:,.0f} million parameters"
        half = "dtype=np.float32, or " if np.dtype(dtype).itemsize > 4 and needs // 2 <= memory else ""
        raise MemoryShortError(
            f"the model has {parameters:,} parameters and takes {in_bytes(needs)} in {np.dtype(dtype)}, "
            f"and {in_bytes(memory)} of memory are free",
            hint=half + smaller,
        )


def free_memory() -> int:
    """Return the bytes of memory that are free now, or become so when somebody asks.

    Example:
        >>> free_memory() > 0
        True
    """
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        told = dict(line.split(":", 1) for line in lines)
        return int(told["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
        return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")


def in_bytes(count: int) -> str:
    """Write a number of bytes with three digits.

    Example:
        >>> [in_bytes(count) for count in (7, 1234, 32_121_044_992)]
        ['7 B', '1.23 kB', '32.1 GB']
    """
    value, power = float(count), 0
    while value >= 999.5 and power < len(_UNITS) - 1:
        value, power = value / 1000, power + 1
    digits = 0 if power == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {_UNITS[power]}"
