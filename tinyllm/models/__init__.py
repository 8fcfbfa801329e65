"""Models made of nn's layers, with the config that describes each."""

from __future__ import annotations

from .bert import Bert
from .bert_config import BertConfig
from .config import GPTConfig
from .count import count_params, flops_per_token
from .gpt import GPT, Block
from .llama import Llama
from .llama_config import LlamaConfig
from .minilm import MiniLM

__all__ = [
    "GPT",
    "Bert",
    "BertConfig",
    "Block",
    "GPTConfig",
    "Llama",
    "LlamaConfig",
    "MiniLM",
    "count_params",
    "flops_per_token",
]
