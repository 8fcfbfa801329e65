"""Models made of nn's layers, with the config that describes each."""

from __future__ import annotations

from .config import GPTConfig
from .count import count_params, flops_per_token
from .gpt import GPT, Block
from .llama import Llama
from .llama_config import LlamaConfig

__all__ = ["GPT", "Block", "GPTConfig", "Llama", "LlamaConfig", "count_params", "flops_per_token"]
