"""Models from and to files: whatever the rest of the field uses, opened by one function, and saved by another.

    model = load_model("gpt2/")                  # a folder as transformers saves it, also sharded
    model = load_model("stories260K.bin")        # llama2.c
    model = load_model("model.gguf")
    save_model(model, "mine/", dtype="bfloat16")  # opens in transformers

What a file is, is told by its content; what was chosen is told to the logger of this module, at level INFO.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import cannot_write, write_atomically, write_json
from ..errors import CheckpointError, ConfigError, nearest
from . import llama
from .bert import Bert
from .bert_config import BertConfig
from .exchange import gpt2
from .exchange.config_json import read_object, refuse_huge
from .exchange.gpt2_config import GPT2Config
from .exchange.weights_at import Weights, weights_at
from .formats.safetensors import FLOATS, NUMPY, SafeTensors
from .formats.sharded import INDEX, WHOLE, Shards, open_tensors, save_sharded
from .gpt import GPT
from .llama import Llama
from .llama_config import LlamaConfig

Array = np.ndarray[Any, np.dtype[Any]]
Model = GPT | Bert

CONFIG, GENERATION = "config.json", "generation_config.json"
DTYPES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
MARKS = ("bos_token_id", "eos_token_id", "pad_token_id")
SHARD = "5GB"  # of values in a file, unless told otherwise
NANOGPT = {"n_layer", "n_head", "n_embd", "block_size", "bias"}  # its model_args, which name no model_type
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A model, and where it came from.

    Attributes:
        model: ready for use; ``train()`` switches dropout on.
        weights: the files that were chosen, and their format.
        family: whose model it is, such as "gpt2".
        metadata: what a GGUF file says besides; of other formats, nothing.
    """

    model: Any
    weights: Weights
    family: str
    metadata: Mapping[str, Any]


def load_model(path: str | Path, dtype: Any = np.float32) -> Any:
    """Load a model from whatever is at a path.

    Weights of safetensors that are stored as the model wants them stay in the file until they are changed, and the
    change is the model's alone: whoever replaces such a file writes another beside it and gives it the name, as
    ``save_model`` does.

    Args:
        path: a folder as transformers saves it (config.json, and model.safetensors or shards), a .safetensors file with
            a config.json beside it, a GGUF file, llama2.c's .bin, or a folder with one of these.
        dtype: floating-point dtype of the model's numbers, whatever the file has.

    Returns:
        A GPT (of GPT-2), a Llama (also of Mistral, Qwen2 and Qwen3), or a Bert; in evaluation mode.

    Raises:
        CheckpointError: there is nothing, a file is damaged or a pickle, or tensors are missing, extra or misshapen;
            the message lists them.
        ConfigError: the architecture is not known, or the config asks for what is not built here.
        MemoryShortError: the model does not fit into the memory that is free; nothing was allocated.
    """
    return open_model(path, dtype).model


def open_model(path: str | Path, dtype: Any = np.float32) -> Loaded:
    """Load a model as ``load_model`` does, and return it with what is known of its files."""
    weights = weights_at(path)
    metadata: Mapping[str, Any] = {}
    if weights.format == "gguf":
        from .exchange.gguf_model import load_gguf  # only for those who have such files

        model, metadata = load_gguf(weights.path, dtype=dtype)
    elif weights.format == "llama2c":
        from .exchange.llama2c_model import load_llama2c

        model = load_llama2c(weights.path).astype(dtype)
    else:
        model = _from_safetensors(weights, dtype)
    family = getattr(model.config, "family", "bert" if isinstance(model, Bert) else "gpt2")
    _LOG.info(
        "%s: %s with %s parameters, from %s", weights.path, family, f"{model.count_parameters():,}", weights.format
    )
    return Loaded(model.eval(), weights, family, metadata)


def save_model(
    model: Any,
    folder: str | Path,
    dtype: str = "float32",
    max_shard_size: int | str | None = None,
    *,
    overwrite: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Save a model as a folder that transformers opens, and ``load_model``.

    A GPT of the preset "gpt2" becomes a gpt2 (with biases of zero, if it has none), one of "modern" a llama, a Llama
    what its config says, a Bert a bert. An error leaves what was in the folder as it was.

    Args:
        model: what to save.
        folder: is made if need be.
        dtype: of the stored numbers: "float32", "bfloat16" or "float16".
        max_shard_size: of a file, such as "500MB"; larger models are cut into several. None for 5 GB.
        overwrite: replace the model that is in the folder. Without it, such a model is an error.
        extra: further keys of config.json, such as ``eos_token_id``.

    Returns:
        The folder.

    Raises:
        ConfigError: the folder is taken, or no config.json can describe the model.
        CheckpointError: the file system refuses, or a number does not fit ``dtype``.

    Example:
        >>> import tempfile
        >>> from tinyllm.models import GPTConfig
        >>> config = GPTConfig.preset("modern", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     where = save_model(GPT(config, np.random.default_rng(0)), folder)
        ...     sorted(file.name for file in where.iterdir()), load_model(where).config.family
        (['config.json', 'generation_config.json', 'model.safetensors'], 'llama')
    """
    folder = Path(folder).expanduser()
    if dtype not in DTYPES:
        raise ConfigError(f"save_model: dtype is {dtype!r}", hint=nearest(str(dtype), DTYPES) or ", ".join(DTYPES))
    values, arrays = described(model)
    values |= {"dtype": dtype, "torch_dtype": dtype, **(extra or {})}
    refuse_taken(folder, overwrite)
    marks = {key: values[key] for key in MARKS if values.get(key) is not None}
    with _restored_on_error(folder / CONFIG):
        save_sharded(folder, arrays, {"format": "pt"}, DTYPES[dtype], max_shard_size or SHARD)
        write_json(folder / GENERATION, marks)
        write_json(folder / CONFIG, values)
    return folder


def described(model: Any) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what config.json says of a model, and its tensors under transformers' names.

    Raises:
        ConfigError: nothing that transformers knows is like this model.
    """
    if isinstance(model, Bert):
        return {**model.config.to_json(), "architectures": ["BertModel"]}, model.to_arrays()  # whatever head it had
    if not isinstance(model, GPT):
        raise ConfigError(f"save_model: a {type(model).__name__} is no model", hint="a GPT, a Llama or a Bert")
    unsaid = dict.fromkeys(MARKS[:2])  # where these are absent, transformers takes ids of its own
    if isinstance(model, Llama) or model.config.position == "rope":
        config = model.config if isinstance(model, Llama) else LlamaConfig.from_gpt(model.config)
        return {**unsaid, **config.to_json()}, llama.to_arrays(model, config)
    if not model.config.bias:
        _LOG.info("gpt2 has biases, and this model has none: zeros are saved in their place")
    return {**unsaid, **GPT2Config.from_gpt(model.config).to_json()}, gpt2.to_arrays(model)


def refuse_taken(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that holds what should not be replaced.

    Raises:
        ConfigError: it is a file or a training run, or it holds a model that may not be overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file, and a model needs a folder", hint="another name")
    if (folder / "manifest.json").exists():
        raise ConfigError(f"{folder}: holds a training run", hint="another folder")
    names = [name for name in (CONFIG, GENERATION, WHOLE, INDEX) if (folder / name).exists()]
    if names and not overwrite:
        raise ConfigError(f"{folder}: holds {', '.join(names)} already", hint="another folder, or overwrite=True")


def _from_safetensors(weights: Weights, dtype: Any) -> Any:
    """Read config.json, then let the family it names take the tensors."""
    values = read_object(weights.folder / CONFIG)
    family = _family(values, weights.folder / CONFIG)
    if (generation := weights.folder / GENERATION).exists():  # whose marks count where texts are made, as theirs do
        told = read_object(generation)
        values |= {key: told[key] for key in MARKS if told.get(key) is not None}
    with open_tensors(weights.path) as file:
        return FAMILIES[family](values, _Floats(file), dtype)


def _gpt2(values: Mapping[str, Any], arrays: Mapping[str, Array], dtype: Any) -> GPT:
    return gpt2.from_arrays(GPT2Config.from_json(values), arrays, dtype)


def _nanogpt(values: Mapping[str, Any], arrays: Mapping[str, Array], dtype: Any) -> GPT:
    """Make a GPT of nanoGPT's model_args, which are fields of ours, and its state; its GELU is the exact one."""
    sizes = {"vocab_size": 50304, "dropout": 0.0, **values}
    config = GPT2Config.from_dict({**sizes, "mlp": "gelu_exact"})
    return gpt2.from_arrays(config, arrays, dtype)


def _llama(values: Mapping[str, Any], arrays: Mapping[str, Array], dtype: Any) -> Llama:
    return llama.from_arrays(LlamaConfig.from_json(values), arrays, dtype)


def _bert(values: Mapping[str, Any], arrays: Mapping[str, Array], dtype: Any) -> Bert:
    refuse_huge(values)
    if any(name.startswith("cls.") for name in arrays):
        _LOG.info("bert: the head that guesses hidden words (cls.*) is left out")
    model = Bert.from_arrays(BertConfig.from_json(values), arrays, skip=("cls.",))
    return model if np.dtype(dtype) == np.float32 else model.astype(dtype)


# model_type -> what makes a model of its config.json and its tensors
FAMILIES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Array], Any], Any]] = {
    "gpt2": _gpt2,
    "nanogpt": _nanogpt,
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), _llama),
    "bert": _bert,
}


def _family(values: dict[str, Any], path: Path) -> str:
    """Return the family that a config.json names, if it is known."""
    family = values.get("model_type")
    if family is None and values.keys() >= NANOGPT:
        return "nanogpt"
    if not isinstance(family, str) or family not in FAMILIES:
        close = nearest(str(family), FAMILIES)
        known = "known are " + ", ".join(FAMILIES)
        raise ConfigError(f"{path}: the architecture {family!r} is not known here; {known}", hint=close)
    return family


class _Floats(Mapping[str, Array]):
    """The tensors of a file as numbers, each read when it is asked for; without a copy, where NumPy has the type.

    Whoever asks for the next one has made a copy of the one before: its pages are given back, so that loading takes the
    memory of the model and not that of the file as well.
    """

    def __init__(self, file: SafeTensors | Shards) -> None:
        self.file = file
        self.before = ""

    def __getitem__(self, name: str) -> Array:
        stored = self.file[name].dtype
        if stored not in (*NUMPY, "BF16"):
            raise CheckpointError(
                f"{self.file.path}: {name} is stored as {stored}", hint="a file in " + ", ".join(FLOATS)
            )
        if self.before:
            self.file.let_go(self.before)
        self.before = name
        return self.file.read(name) if stored == "BF16" else self.file.view(name)

    def private(self, name: str) -> Array | None:
        """Return a tensor that the model may keep and change, without a copy and without changing the file, or None."""
        return self.file.private(name)

    def about(self, name: str) -> tuple[tuple[int, ...], str]:
        """Return the shape and the type of a tensor, which the file's header tells."""
        entry = self.file[name]
        known = {"BF16": "bfloat16", **{key: np.dtype(code).name for key, code in NUMPY.items()}}
        return entry.shape, known.get(entry.dtype, entry.dtype)

    def __contains__(self, name: object) -> bool:
        return name in self.file

    def __iter__(self) -> Iterator[str]:
        return iter(self.file)

    def __len__(self) -> int:
        return len(self.file)


@contextlib.contextmanager
def _restored_on_error(path: Path) -> Iterator[None]:
    """Take a file away for a while, so that no reader mixes it with new ones, and bring it back after an error."""
    try:
        before = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    except BaseException:
        if before is not None:
            write_atomically(path, lambda file: file.write(before))
        raise
