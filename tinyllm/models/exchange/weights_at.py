"""What is at a path: which of the formats that hold a model, told by content and not by name; pickles are refused.

A pickle is a program that runs when it is read, whatever else it may hold. So a file of torch.save is never opened:
whoever has torch and trusts it writes the same tensors as safetensors, once.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ...errors import CheckpointError, ConfigError
from ..formats.llama2c import read_llama2c
from ..formats.sharded import INDEX, WHOLE, open_tensors

_PICKLES = (b"PK\x03\x04", *(b"\x80" + bytes((protocol,)) for protocol in range(1, 6)))  # torch.save's, new and old
_FOREIGN = {
    b"version https://git-lfs": ("is a pointer of Git LFS and not the file itself", "git lfs pull"),
    b"<!": ("is a web page and not the file itself", "fetch the file itself"),
    b"<html": ("is a web page and not the file itself", "fetch the file itself"),
    b"ggml": ("is of GGUF's forerunner", "a GGUF file"),
    b"ggjt": ("is of GGUF's forerunner", "a GGUF file"),
}


class Weights(NamedTuple):
    """Where a model's weights are.

    Attributes:
        format: "safetensors", "gguf" or "llama2c".
        path: the file; for safetensors also an index of shards, or a folder with either.
        folder: what lies beside them is here: config.json, a tokenizer.
    """

    format: str
    path: Path
    folder: Path


def weights_at(path: str | Path) -> Weights:
    """Find the weights at a path, a file or a folder.

    Raises:
        CheckpointError: nothing is there, or no model; a pickle is refused, and the hint says how to convert it.
        ConfigError: a folder holds several models of one format.

    Example:
        >>> weights_at("no/such/folder")
        Traceback (most recent call last):
            ...
        tinyllm.errors.CheckpointError: E-CHECKPOINT no/such/folder: there is no such file or folder
    """
    path = Path(path).expanduser()
    try:
        if path.is_dir():
            return _in_folder(path)
        with open(path, "rb") as file:
            head = file.read(64)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file or folder") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    if head.startswith(b"GGUF"):
        return Weights("gguf", path, path.parent)
    if head.startswith(_PICKLES):
        raise CheckpointError(
            f"{path}: was made by torch.save or pickle, which can run any code when it is read, and is never opened",
            hint=f"safetensors.torch.save_file(torch.load({path.name!r}, weights_only=True), {WHOLE!r}), with torch",
        )
    for start, (what, hint) in _FOREIGN.items():
        if head.startswith(start):
            raise CheckpointError(f"{path}: {what}", hint=hint)
    if path.name == INDEX or path.suffix == ".safetensors" or head[8:9] == b"{":
        return Weights("safetensors", path, path.parent)
    if head.lstrip().startswith(b"{"):
        raise CheckpointError(f"{path}: is JSON and holds no weights", hint=f"the folder it is in: {path.parent}")
    if path.suffix == ".bin" or _is_llama2c(path):
        return Weights("llama2c", path, path.parent)  # whose reader says what is wrong with any other .bin
    raise CheckpointError(
        f"{path}: is of no format that holds a model here", hint="safetensors, GGUF, or llama2.c's .bin"
    )


def _in_folder(folder: Path) -> Weights:
    """Choose among what a folder holds."""
    if (folder / WHOLE).exists() or (folder / INDEX).exists():
        return Weights("safetensors", folder, folder)
    for format, pattern in (("safetensors", "*.safetensors"), ("gguf", "*.gguf"), ("llama2c", "*.bin")):
        found = sorted(path for path in folder.glob(pattern) if format != "llama2c" or _is_llama2c(path))
        if len(found) > 1:
            raise ConfigError(
                f"{folder}: holds several models: {', '.join(path.name for path in found)}", hint=f"{found[0]}"
            )
        if found:
            return Weights(format, found[0], folder)
    open_tensors(folder)  # says what is missing, and what a pickle in its place has to become
    raise CheckpointError(f"{folder}: holds no model", hint="a folder as transformers saves it")


def _is_llama2c(path: Path) -> bool:
    """Tell whether a file is as large as its first seven numbers make it."""
    try:
        read_llama2c(path)
    except CheckpointError:
        return False
    return True
