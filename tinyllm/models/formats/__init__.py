"""Weight files, one format to a file: safetensors whole and in shards, GGUF, and llama2.c's."""

from __future__ import annotations
