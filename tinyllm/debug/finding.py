"""Finding: what a check saw, what is usual, and what to try, in three sentences that a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

STATES = ("ok", "note", "fix")  # from good to bad


@dataclass(frozen=True)
class Finding:
    """What one check has to say.

    Attributes:
        check: its name.
        state: "ok"; "note", which may be meant so; "fix", with which the model does not learn as it should.
        seen: what was measured, with its numbers and the name of the layer.
        usual: what a healthy model shows.
        advice: what to try; empty where all is well.

    Example:
        >>> Finding("start", "ok", "the loss is 4.18", "ln V = 4.17").bad
        False
    """

    check: str
    state: str
    seen: str
    usual: str
    advice: str = ""

    @property
    def bad(self) -> bool:
        """Is there something to mend?"""
        return self.state == "fix"


def rms(array: Any) -> float:
    """Return the root of the mean square of all entries, calculated in float64; 0 for none.

    Example:
        >>> rms(np.array([3.0, -3.0], dtype=np.float32))
        3.0
    """
    flat = np.asarray(array).ravel()
    return float(np.sqrt(np.mean(np.square(flat, dtype=np.float64)))) if flat.size else 0.0


def listed(names: Any, most: int = 4) -> str:
    """Write down the first few names, and how many more there are.

    Example:
        >>> listed(["a", "b", "c"], most=2), listed([])
        ('a, b and 1 more', 'none')
    """
    names = [str(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more
