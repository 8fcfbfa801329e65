"""Text out of a model: decoding with a memory, and sampling, one token after another."""

from __future__ import annotations

from .cache import KVCache
from .decode import Decoder
from .sample import apply_temperature, generate, next_token, prompt_ids, sample, stream, top_k

__all__ = [
    "Decoder",
    "KVCache",
    "apply_temperature",
    "generate",
    "next_token",
    "prompt_ids",
    "sample",
    "stream",
    "top_k",
]
