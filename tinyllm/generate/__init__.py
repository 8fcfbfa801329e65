"""Text out of a model: sampling, one token after another."""

from __future__ import annotations

from .sample import apply_temperature, generate, next_token, prompt_ids, sample, stream, top_k

__all__ = ["apply_temperature", "generate", "next_token", "prompt_ids", "sample", "stream", "top_k"]
