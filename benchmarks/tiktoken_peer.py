"""The peer: tiktoken's own encodings, from vocabularies at hand. Imports nothing else: its start is timed, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ENCODINGS = {"gpt2": "r50k_base", "cl100k_base": "cl100k_base", "o200k_base": "o200k_base"}


def tiktoken_encoding(encoding: str, folder: str) -> Any:
    """Make tiktoken's encoding from its own declaration and a vocabulary at hand."""
    import tiktoken
    from tiktoken import load
    from tiktoken_ext import openai_public

    def ranks(url: str = "", expected_hash: str | None = None, **_: Any) -> dict[bytes, int]:
        return load.load_tiktoken_bpe(str(Path(folder, f"{ENCODINGS[encoding]}.tiktoken")))

    openai_public.load_tiktoken_bpe = ranks
    openai_public.data_gym_to_mergeable_bpe_ranks = ranks
    return tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[encoding]())
