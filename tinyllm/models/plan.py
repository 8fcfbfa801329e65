"""What a model in a file will take of the memory, told from headers alone, before anything is loaded or allocated.

told = plan("llama-8b/", context=4096)
print(told)                       # a line for each part
told.refuse_if_too_large()        # or an error that says what would fit
"""

from __future__ import annotations

import json
import zipfile
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import CheckpointError, ConfigError, MemoryShortError, TinyLLMError
from .config import GPTConfig
from .exchange.config_json import read_object
from .exchange.gguf_config import read_config
from .exchange.gpt2_config import GPT2Config
from .exchange.llama2c_model import config_of
from .exchange.weights_at import weights_at
from .footprint import Footprint, footprint
from .formats.gguf import read_gguf
from .formats.llama2c import read_llama2c
from .formats.sharded import open_tensors
from .llama_config import LlamaConfig
from .memory import free_memory, in_bytes

Config = GPTConfig | LlamaConfig

_SHORTEST = 16  # tokens; who has memory for fewer needs another model
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Plan:
    """The bytes that a model in a file takes.

    Attributes:
        name: of the file or folder.
        family: whose model it is.
        config: of the model.
        stored: bytes of the weights in it.
        sizes: what the model takes once it is loaded.
    """

    name: str
    family: str
    config: Config
    stored: int
    sizes: Footprint

    def fits(self, memory: int | None = None, weights: str = "float32") -> bool:
        """Tell whether it fits into ``memory`` bytes; into what is free now, unless told otherwise."""
        return self.sizes.needs(weights) <= (free_memory() if memory is None else memory)

    def refuse_if_too_large(self, memory: int | None = None, weights: str = "float32") -> None:
        """Refuse what does not fit, and say what would.

        Raises:
            MemoryShortError: it does not fit into ``memory`` bytes, or into what is free now.

        Example:
            >>> config = GPTConfig.preset("gpt2")
            >>> told = Plan("gpt2", "gpt2", config, 0, footprint(config, batch=8))
            >>> told.refuse_if_too_large(10**9)
            Traceback (most recent call last):
                ...
            tinyllm.errors.MemoryShortError: E-MEMORY gpt2: needs ... GB for 8 x 1,024 tokens, and ...
        """
        memory = free_memory() if memory is None else memory
        needs = self.sizes.needs(weights)
        if needs > memory:
            tokens = f"{self.sizes.batch} x {self.sizes.context:,} tokens"
            raise MemoryShortError(
                f"{self.name}: needs {in_bytes(needs)} for {tokens}, and {in_bytes(memory)} are free; "
                f"{in_bytes(self.sizes.model)} of it for the weights in float32",
                hint=", or ".join(self._choices(memory, weights)),
            )

    def _choices(self, memory: int, weights: str) -> list[str]:
        """Return what would make it fit, each by itself."""
        T, B = self.sizes.context, self.sizes.batch
        found = [f"weights={other!r}" for other in self.sizes.copies if self.sizes.needs(other) <= memory]
        # how many of the smaller ones fit: what is needed grows with either
        texts = bisect_right(range(1, B), memory, key=lambda b: footprint(self.config, T, b).needs(weights))
        tokens = bisect_right(range(1, T), memory, key=lambda t: footprint(self.config, t, B).needs(weights))
        found += [f"batch={texts}"] if texts else []
        found += [f"context={tokens}"] if tokens >= _SHORTEST else []
        if not found:
            most = memory * self.sizes.parameters // self.sizes.needs(weights)
            found = [f"a model of about {most / 1e6:,.0f} million parameters, not {self.sizes.parameters / 1e6:,.0f}"]
        return found

    def __str__(self) -> str:
        sizes = self.sizes
        rows = {
            "weights in the file": self.stored,
            "the model, in float32": sizes.model,
            **{f"  copied for decoding in {weights}": copied for weights, copied in sizes.copies.items()},
            f"keys and values of {sizes.batch} x {sizes.context:,} tokens": sizes.cache,
            "what passes through a layer": sizes.activations,
            **{f"in use at once, with {weights}": sizes.needs(weights) for weights in sizes.copies},
        }
        title = f"{self.name}: {self.family}, {sizes.parameters:,} parameters"
        return "\n".join([title, *(f"  {what:<48}{in_bytes(size):>10}" for what, size in rows.items())])


def plan(path: str | Path, context: int | None = None, batch: int = 1) -> Plan:
    """Say what a model will take of the memory; only headers are read.

    Args:
        path: what ``tl.load`` takes: a folder as transformers saves it, a GGUF file, llama2.c's .bin, or a run folder.
        context: how many tokens a text may have; as many as the model knows positions, unless told otherwise.
        batch: how many texts at once.

    Raises:
        CheckpointError: there is no model, or its files are damaged.
        ConfigError: the model is none that writes texts, or context or batch are out of range.

    Example:
        >>> import tempfile
        >>> from tinyllm.models import GPT
        >>> from tinyllm.models.pretrained import save_model
        >>> model = GPT(GPTConfig(11, 64, n_layer=2, n_head=2, n_embd=32), np.random.default_rng(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     told = plan(save_model(model, folder), context=16, batch=2)
        >>> told.family, told.sizes.parameters == model.count_parameters(), told.stored, told.sizes.cache
        ('gpt2', True, 111488, 16384)
    """
    path = Path(path).expanduser()
    config, stored = _of_run(path) if (path / "manifest.json").is_file() else _of_file(path)
    family = config.family if isinstance(config, LlamaConfig) else "gpt2" if config.position == "learned" else "llama"
    return Plan(path.name, family, config, stored, footprint(config, context, batch))


def _of_file(path: Path) -> tuple[Config, int]:
    """Return the config of a model and the bytes of its tensors."""
    weights = weights_at(path)
    if weights.format == "gguf":
        file = read_gguf(weights.path)
        try:
            config = read_config(file.metadata, {name: blocks.shape for name, blocks in file.tensors.items()})
        except TinyLLMError as error:
            raise type(error)(f"{weights.path.name}: {error.message}", hint=error.hint) from None
        return config, sum(blocks.raw.nbytes for blocks in file.tensors.values())
    if weights.format == "llama2c":
        header, tensors = read_llama2c(weights.path)
        return config_of(header), sum(array.nbytes for array in tensors.values())
    values = read_object(weights.folder / "config.json")
    with open_tensors(weights.path) as tensors_:
        stored = sum(entry.end - entry.begin for entry in tensors_.values())
    if values.get("model_type") == "bert":
        raise ConfigError(f"plan: {path.name} holds a bert, which writes no texts", hint="a GPT or a Llama")
    read = GPT2Config if values.get("model_type") == "gpt2" else LlamaConfig
    return read.from_json(values), stored


def _of_run(folder: Path) -> tuple[Config, int]:
    """Return the config of a run's best weights and their bytes."""
    path = folder / ("best.npz" if (folder / "best.npz").exists() else "checkpoint.npz")
    try:
        with zipfile.ZipFile(path) as archive, archive.open("about.npy") as member:
            about = json.loads(np.lib.format.read_array(member, allow_pickle=False).tobytes())
            stored = sum(i.file_size for i in archive.infolist() if i.filename.startswith("model."))
        return GPTConfig.from_dict(about["model"]), stored
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no checkpoint yet", hint="train the run first") from None
    except ConfigError:
        raise
    except _DAMAGED as error:
        raise CheckpointError(
            f"{path}: is damaged or no checkpoint ({type(error).__name__})", hint="another checkpoint of this run"
        ) from None
