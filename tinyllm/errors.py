"""Every error a user can meet: what was asked, what was got, what was expected, what to try.

Each class carries a stable code (``E-SHAPE``, ``E-TWICE``, ...). A message is one line: the operation first, then
the values with their axis letters, then what to do. Where Python has an error of the same meaning our class is also
one of those, so ``except ValueError`` keeps working.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DTypeError",
    "DataError",
    "GradcheckError",
    "GraphError",
    "InPlaceError",
    "KernelError",
    "LeafError",
    "MemoryShortError",
    "NaNError",
    "OpError",
    "RangeError",
    "ShapeError",
    "SpecialTokenError",
    "TinyLLMError",
    "TokenError",
    "TwiceError",
    "nearest",
    "shape_in_letters",
]


class TinyLLMError(Exception):
    """What all of tinyllm's errors have in common: a code, one line that says what was wrong, and what to try.

    Example:
        >>> raise TinyLLMError("softmax: x is a list", hint="wrap it: tl.Tensor(x)")
        Traceback (most recent call last):
            ...
        tinyllm.errors.TinyLLMError: E-ERROR softmax: x is a list. Try: wrap it: tl.Tensor(x)
    """

    code = "E-ERROR"

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        text = f"{self.code} {message}"
        if hint:
            text = f"{text.rstrip('.')}. Try: {hint}"
        super().__init__(text)


class ShapeError(TinyLLMError, ValueError):
    """Arrays whose shapes do not fit the operation."""

    code = "E-SHAPE"


class DTypeError(TinyLLMError, TypeError):
    """A dtype the operation does not take, or two that do not mix."""

    code = "E-DTYPE"


class RangeError(TinyLLMError, IndexError):
    """An index, a token id or an axis that lies outside of what is there."""

    code = "E-RANGE"


class TokenError(RangeError, KeyError):
    """A token id, or the bytes of a token, that a vocabulary does not have."""

    code = "E-TOKEN"

    def __str__(self) -> str:  # a KeyError would print its message in quotes
        return str(self.args[0])


class SpecialTokenError(TinyLLMError, ValueError):
    """A special token such as <|endoftext|> in a text that was not said to hold any."""

    code = "E-SPECIAL"


class GraphError(TinyLLMError, RuntimeError):
    """A graph that cannot be walked: cut off, or recorded where it should not have been."""

    code = "E-GRAPH"


class TwiceError(GraphError):
    """A second backward() through a graph whose memory was already freed."""

    code = "E-TWICE"


class LeafError(GraphError):
    """backward() on something that is not one number, without saying which cotangent to start from."""

    code = "E-LEAF"


class InPlaceError(GraphError):
    """An edit in place of an array that a live graph still needs."""

    code = "E-INPLACE"


class NaNError(TinyLLMError, ArithmeticError):
    """A value that is not a number, with the operation that made it first."""

    code = "E-NAN"


class GradcheckError(TinyLLMError, AssertionError):
    """A gradient that is not the derivative; the message is the whole report."""

    code = "E-GRADCHECK"


class OpError(TinyLLMError, TypeError):
    """An op's declaration that lacks a part, or an op that broke its contract at run time."""

    code = "E-OP"


class KernelError(TinyLLMError, ValueError):
    """A back end that does not exist or cannot run here."""

    code = "E-KERNEL"


class ConfigError(TinyLLMError, ValueError):
    """A setting that is misspelled, out of range, or at odds with another one."""

    code = "E-CONFIG"


class DataError(TinyLLMError, ValueError):
    """Training text or tokens that are missing, empty, binary or too short."""

    code = "E-DATA"


class LearnError(TinyLLMError, ValueError):
    """Something about a lesson, an exercise or the learner's own file."""

    code = "E-LEARN"


class ClaimError(LearnError, AssertionError):
    """A result that a lesson relies on did not come out."""

    code = "E-CLAIM"


class StubError(LearnError, NotImplementedError):
    """A function that is still to be written was called."""

    code = "E-STUB"


class MemoryShortError(TinyLLMError, MemoryError):
    """Something that would not fit into the memory, foreseen before it was tried."""

    code = "E-MEMORY"


class CheckpointError(TinyLLMError, ValueError):
    """A checkpoint or run folder that is missing, cut short, foreign, or made for another model."""

    code = "E-CHECKPOINT"


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate spelled most like ``word``, or None when none comes close.

    Example:
        >>> nearest("n_heads", ["n_head", "n_layer"])
        'n_head'
    """
    close = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.6)
    return close[0] if close else None


def shape_in_letters(shape: Sequence[int], letters: Sequence[str] = ()) -> str:
    """Write a shape with its axis letters, matched from the right as broadcasting does.

    Example:
        >>> shape_in_letters((2, 6, 8), ["...", "T", "D"])
        '(2, T=6, D=8)'
    """
    names = [""] * len(shape)
    axes = [letter for letter in letters if letter != "..."]
    for back, letter in enumerate(reversed(axes), start=1):
        if back <= len(shape):
            names[-back] = letter
    parts = [f"{name}={size}" if name else str(size) for name, size in zip(names, shape, strict=True)]
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
