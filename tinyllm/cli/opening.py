"""Opening a model that writes: a run of ours, or what others have saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import assets
from ..errors import ConfigError

if TYPE_CHECKING:
    from ..tokenizer import Tokenizer


def open_writer(path: str, which: str = "best") -> tuple[Any, Tokenizer]:
    """Return a model that writes texts, and its tokenizer.

    Args:
        path: a run folder, a folder as transformers saves it, a GGUF file, llama2.c's .bin, or the name of a published
            model.
        which: of a run, "best" or "latest".

    Raises:
        CheckpointError, DataError: there is no such model, or its files are damaged.
        ConfigError: it has no tokenizer, or does not write; or ``which`` is "latest" where there is one model only.
    """
    place = Path(path).expanduser()
    if (place / "manifest.json").is_file() or not (place.exists() or path in assets.MODELS):
        from ..train import load

        model, tokenizer, _ = load(path, which)
        return model, tokenizer
    from ..models import GPT
    from ..pretrained import load as load_any

    if which != "best":
        raise ConfigError(f"--which {which} is for run folders, and {path} is none", hint="leave out --which")
    found, words = load_any(path)
    if not isinstance(found, GPT):
        raise ConfigError(
            f"{path}: a {type(found).__name__} does not write texts", hint="a GPT-2, Llama, Mistral or Qwen"
        )
    if words is None:
        raise ConfigError(f"{path}: no tokenizer is beside the weights", hint="its tokenizer.json, or tokenizer.bin")
    return found, words
