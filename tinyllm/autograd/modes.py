"""The two switches of the engine: is a graph being recorded, and are its values being watched.

Both are context variables: every Python thread has its own, and a block restores what it found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

recording: ContextVar[bool] = ContextVar("tinyllm_recording", default=True)
anomaly: ContextVar[bool] = ContextVar("tinyllm_anomaly", default=False)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording a graph: nothing is saved, and results need no gradient.

    Example:
        >>> import tinyllm as tl
        >>> x = tl.Tensor([1.0, 2.0], requires_grad=True)
        >>> with tl.no_grad():
        ...     y = x * 3
        >>> y.requires_grad
        False
    """
    token = recording.set(False)
    try:
        yield
    finally:
        recording.reset(token)


@contextmanager
def enable_grad() -> Iterator[None]:
    """Record a graph again inside a ``no_grad`` block (activation checkpointing does)."""
    token = recording.set(True)
    try:
        yield
    finally:
        recording.reset(token)


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Stop at the first op whose result or gradient holds a NaN or an infinity, and name it with its inputs.

    Every value is looked at, so a step takes longer. Infinities that an op declares as legal (an attention mask is
    filled with -inf) pass.

    Raises:
        NaNError: inside the block, from the op that made the value.

    Example:
        >>> import tinyllm as tl
        >>> with tl.detect_anomaly():
        ...     tl.Tensor([1.0, -1.0]).log()
        Traceback (most recent call last):
            ...
        tinyllm.errors.NaNError: E-NAN log: the result holds 1 NaN; x (2,) float32 in [-1, 1]...
    """
    token = anomaly.set(True)
    try:
        yield
    finally:
        anomaly.reset(token)
