"""What a command says about a text that a model has written: how it ended, how fast it came, what it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..generate import Completion

_WHY = {"length": "as many as asked for", "stop": "up to a stop sequence", "end": "to the end of the text"}


def closing(done: Completion) -> str:
    """Return the line that stands after a text.

    Example:
        >>> from tinyllm.generate import Completion, Timing
        >>> closing(Completion("a", [1] * 40, [2], "stop", Timing(0.0123, 0.06, 812.0, 4_300_000), seed=7))
        '40 tokens, up to a stop sequence: the first after 12 ms, 812 tokens/s, 4.3 MB of memory, seed 7'
    """
    n, timing = len(done.ids), done.timing
    parts = [f"the first after {_short(timing.first_token_seconds)}"] if n else []
    parts += [f"{timing.tokens_per_second:,.0f} tokens/s"] if n > 1 else []
    parts += [f"{megabytes(timing.memory_bytes)} of memory"]
    parts += [] if done.seed is None else [f"seed {done.seed}"]
    return f"{n} token{'s' * (n != 1)}, {_WHY[done.finish]}: {', '.join(parts)}"


def figures(done: Completion) -> dict[str, Any]:
    """Return the same as JSON can hold it.

    Example:
        >>> from tinyllm.generate import Completion, Timing
        >>> figures(Completion("a", [1] * 40, [2], "stop", Timing(0.0123, 0.06, 812.0, 4_300_000), 7))["memory_bytes"]
        4300000
    """
    timing = done.timing
    return {
        "tokens": len(done.ids),
        "prompt_tokens": len(done.prompt_ids),
        "cut": done.cut,
        "finish": done.finish,
        "seed": done.seed,
        "first_token_seconds": round(timing.first_token_seconds, 6),
        "seconds": round(timing.seconds, 6),
        "tokens_per_second": round(timing.tokens_per_second, 1),
        "memory_bytes": timing.memory_bytes,
    }


def megabytes(n: int) -> str:
    """Write a number of bytes.

    Example:
        >>> megabytes(34_000), megabytes(4_300_000), megabytes(497_000_000), megabytes(3_200_000_000)
        ('34 kB', '4.3 MB', '497 MB', '3.2 GB')
    """
    if n < 1e5:
        return f"{n / 1e3:.0f} kB"
    if n >= 1e9:
        return f"{n / 1e9:.1f} GB"
    return f"{n / 1e6:.1f} MB" if n < 1e8 else f"{n / 1e6:.0f} MB"


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
