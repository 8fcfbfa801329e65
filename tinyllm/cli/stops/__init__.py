"""The stops of ``tinyllm tour``, in order. A new stop is a file with a STOP, and a line here."""

from __future__ import annotations

from . import cache, check, learn, onward, pictures, questions, reload, sampling, slope, tokens
from .stop import Stop, Tour

STOPS = [
    slope.STOP,
    learn.STOP,
    check.STOP,
    pictures.STOP,
    tokens.STOP,
    sampling.STOP,
    cache.STOP,
    reload.STOP,
    questions.STOP,
    onward.STOP,
]

__all__ = ["STOPS", "Stop", "Tour"]
