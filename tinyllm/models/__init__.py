"""Models made of nn's layers, with the config that describes each."""

from __future__ import annotations

from .config import GPTConfig
from .count import count_params, flops_per_token
from .gpt import GPT, Block

__all__ = ["GPT", "Block", "GPTConfig", "count_params", "flops_per_token"]
