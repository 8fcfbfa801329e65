"""A model's config in the metadata of a GGUF file: read from it and written to it, for GPT-2, Llama, Mistral and Qwen.

    general.architecture        gpt2, llama (Mistral, too), qwen2, qwen3; before each of the keys below
    .context_length             T      .embedding_length           C      .block_count   L
    .feed_forward_length        F      .attention.head_count       H      .attention.head_count_kv   K, H if absent
    .attention.key_length       D, C / H if absent, and so is .attention.value_length; .rope.dimension_count must be D
    .attention.layer_norm_epsilon or .attention.layer_norm_rms_epsilon
    .attention.sliding_window   and .attention.sliding_window_pattern, a truth value a layer, where layers differ
    .rope.freq_base             10000 if absent
    .rope.scaling.type          none or linear, with .rope.scaling.factor; llama3's is a tensor, see ``gguf_rope``

What the metadata leave open, the tensors say: how many tokens there are, whether there are biases, and whether the head
is the embedding. A key under the architecture that is not known here may change what is computed, so it is refused.

Numbers with a point are float32 in a file. They are read as the shortest decimals that are this float32: 1e-06, as it
was in config.json, and not 9.99999997e-07.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import CheckpointError, ConfigError, nearest
from ...nn import RopeScaling
from ..config import GPTConfig
from ..llama_config import LlamaConfig
from .gguf_names import ARCHITECTURES, EMBEDDING, HEAD
from .gguf_rope import NUMBERS
from .gpt2_config import GPT2Config
from .names import Shape

MARKS = ("bos", "eos")  # the tokens that begin and end a text; a config has their ids in ``extra``
# keys of no interest here, and the only values by which others say that they are not in use
_HARMLESS = ("rope.scaling.finetuned", "rope.scaling.original_context_length", "tensor_data_layout")
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "attention.causal": (True,),
    "expert_count": (0,),
    "expert_used_count": (0,),
    "rope.scale_linear": (1.0,),
    "rope.scaling.attn_factor": (1.0,),
}


def read_config(metadata: Mapping[str, Any], shapes: Mapping[str, Shape]) -> GPTConfig | LlamaConfig:
    """Make the config that the metadata of a GGUF file describe, as far as they do without a look at the weights.

    Those alone tell of Llama-3's scaling of RoPE, and whether GPT-2's head is the embedding; it is taken to be.

    Args:
        metadata: values by key.
        shapes: of all tensors, by name.

    Raises:
        CheckpointError: the architecture is unknown, a key is missing, of another kind, or not understood, or the
            values do not fit each other.

    Example:
        >>> config = LlamaConfig("qwen2", 97, n_layer=2, n_head=4, n_embd=32, qkv_bias=True, tied=True)
        >>> read_config(write_config(config), {"token_embd.weight": (97, 32), "and": (1,)}) == config
        True
    """
    said = _Said(metadata)
    if not shapes.get(EMBEDDING):
        raise CheckpointError(f"there is no matrix {EMBEDDING}", hint="a file with a whole model in it")
    V = shapes[EMBEDDING][0]
    if said.whole("vocab_size", V) != V:
        raise CheckpointError(
            f"{said.prefix}vocab_size is {said.whole('vocab_size'):,}, and {EMBEDDING} has {V:,} rows"
        )
    sizes: dict[str, Any] = {
        "vocab_size": V,
        "block_size": said.whole("context_length"),
        "n_layer": said.whole("block_count"),
        "n_head": said.whole("attention.head_count"),
        "n_embd": said.whole("embedding_length"),
        "n_hidden": said.whole("feed_forward_length"),
    }
    if sizes["n_layer"] > len(shapes):  # before anything is made for each layer
        raise CheckpointError(
            f"{said.prefix}block_count is {sizes['n_layer']:,}, and there are {len(shapes):,} tensors"
        )
    sizes["extra"] = {f"{mark}_token_id": i for mark in MARKS if (i := _token(metadata, mark, V)) is not None}
    sizes["n_kv_head"] = said.whole("attention.head_count_kv", sizes["n_head"])
    try:
        config = _gpt2(said, sizes) if said.architecture == "gpt2" else _llama(said, sizes, shapes)
    except ConfigError as error:
        raise CheckpointError(error.message, hint="a file that was made for this model") from None
    said.refuse_the_rest()
    return config


def write_config(config: GPTConfig | LlamaConfig) -> dict[str, Any]:
    """Return the metadata that describe a model.

    Args:
        config: of a GPT-2, or in Llama's words.

    Raises:
        ConfigError: readers of this architecture have no word for one of the choices.

    Example:
        >>> metadata = write_config(GPTConfig())
        >>> metadata["general.architecture"], metadata["gpt2.context_length"]
        ('gpt2', 1024)
    """
    family = config.family if isinstance(config, LlamaConfig) else "gpt2"
    architecture = ARCHITECTURES[family]
    values: dict[str, Any] = {
        "context_length": config.block_size,
        "embedding_length": config.n_embd,
        "block_count": config.n_layer,
        "feed_forward_length": config.n_hidden,
        "attention.head_count": config.n_head,
        "attention.head_count_kv": config.n_kv_head,
    }
    if isinstance(config, LlamaConfig):
        _refuse_the_unsayable(config, architecture)
        values |= _llama_values(config)
    else:
        values["attention.layer_norm_epsilon"] = config.norm_eps
    values["vocab_size"] = config.vocab_size
    metadata: dict[str, Any] = {"general.architecture": architecture}
    metadata |= {f"{architecture}.{key}": value for key, value in values.items()}
    for mark in MARKS:
        if type(i := getattr(config, "extra", {}).get(f"{mark}_token_id")) is int:  # there may be a list of them
            metadata[f"tokenizer.ggml.{mark}_token_id"] = i
    scaling = config.rope_scaling if isinstance(config, LlamaConfig) else None
    if scaling is not None and scaling.kind == "llama3":
        metadata[NUMBERS] = np.array([scaling.factor, scaling.low, scaling.high, scaling.original], np.float64)
    return metadata


class _Said:
    """What metadata say under their architecture, and which of it was asked for."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        architecture = metadata.get("general.architecture")
        known = list(dict.fromkeys(ARCHITECTURES.values()))
        if not isinstance(architecture, str) or architecture not in known:
            raise CheckpointError(
                f"the architecture is {_short(architecture)}, which is not known here",
                hint=nearest(str(architecture), known) or f"one of {', '.join(known)}",
            )
        parts = metadata.get("split.count", 1)
        if not isinstance(parts, int) or parts > 1:
            raise CheckpointError(
                f"this is one of {_short(parts)} parts of a model", hint="merge them: llama-gguf-split --merge"
            )
        self.architecture = architecture
        self.prefix = f"{architecture}."
        self._values = {key.removeprefix(self.prefix): v for key, v in metadata.items() if key.startswith(self.prefix)}
        self._left = dict(self._values)

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number above 0."""
        value = self.any(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise CheckpointError(f"{self.prefix}{key} is {_short(value)}, not a whole number above 0")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number as the shortest decimal that is the same float32."""
        value = self.any(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise CheckpointError(f"{self.prefix}{key} is {_short(value)}, not a number")
        with np.errstate(over="ignore"):
            narrow = np.float32(value)
        return float(str(narrow)) if float(narrow) == value else float(value)

    def any(self, key: str, default: Any = None) -> Any:
        """Return a value."""
        self._left.pop(key, None)
        value = self._values.get(key, default)
        if value is None:
            raise CheckpointError(f"there is no {self.prefix}{key}")
        return value

    def has(self, key: str) -> bool:
        """Tell whether there is a value."""
        return key in self._values

    def refuse_the_rest(self) -> None:
        """Refuse what nobody asked for, unless it changes nothing."""
        for key, value in self._left.items():
            if key not in _HARMLESS and not any(_same(value, neutral) for neutral in _NEUTRAL.get(key, ())):
                raise CheckpointError(f"{self.prefix}{key} is {_short(value)}, and is not understood here")


def _gpt2(said: _Said, sizes: Mapping[str, Any]) -> GPT2Config:
    if sizes["n_kv_head"] != sizes["n_head"]:
        raise CheckpointError(
            f"{said.prefix}attention.head_count_kv is {sizes['n_kv_head']:,}, and a gpt2 has no groups"
        )
    return GPT2Config(**sizes, norm_eps=said.number("attention.layer_norm_epsilon"))


def _llama(said: _Said, sizes: Mapping[str, Any], shapes: Mapping[str, Shape]) -> LlamaConfig:
    H, C = sizes["n_head"], sizes["n_embd"]
    if C % H and not said.has("attention.key_length"):
        raise CheckpointError(
            f"{H:,} heads do not divide a width of {C:,}, and there is no {said.prefix}attention.key_length"
        )
    D = said.whole("attention.key_length", max(C // H, 1))
    for key in ("attention.value_length", "rope.dimension_count"):
        if said.whole(key, D) != D:
            raise CheckpointError(f"{said.prefix}{key} is {said.whole(key):,}, and a head has {D:,} channels")
    windows = _windows(said, sizes["n_layer"])
    slid = any(window is not None for window in windows)
    family = said.architecture
    if family == "llama" and slid:
        family = "mistral"  # one without a window is a llama in all but its name
    return LlamaConfig(
        family,
        **sizes,
        head_size=D,
        windows=windows,
        qkv_bias=family == "qwen2" or (family != "qwen3" and "blk.0.attn_q.bias" in shapes),
        out_bias=not family.startswith("qwen") and "blk.0.attn_output.bias" in shapes,
        mlp_bias=not family.startswith("qwen") and "blk.0.ffn_up.bias" in shapes,
        qk_norm=family == "qwen3",
        tied=HEAD not in shapes,
        rope_theta=said.number("rope.freq_base", 10000.0),
        rope_scaling=_scaling(said),
        norm_eps=said.number("attention.layer_norm_rms_epsilon"),
    )


def _windows(said: _Said, L: int) -> tuple[int | None, ...]:
    window, pattern = said.any("attention.sliding_window", 0), said.any("attention.sliding_window_pattern", True)
    if type(window) is int and window == 0:
        return (None,) * L
    window = said.whole("attention.sliding_window")
    if pattern is True:
        return (window,) * L
    if not isinstance(pattern, np.ndarray) or pattern.shape != (L,) or pattern.dtype != np.bool_:
        raise CheckpointError(
            f"{said.prefix}attention.sliding_window_pattern is {_short(pattern)}, not {L} truth values"
        )
    return tuple(window if slides else None for slides in pattern)


def _scaling(said: _Said) -> RopeScaling | None:
    kind = str(said.any("rope.scaling.type", "none"))
    if kind == "linear":
        return RopeScaling("linear", said.number("rope.scaling.factor"))
    if kind != "none":
        raise CheckpointError(
            f"{said.prefix}rope.scaling.type is {_short(kind)}, which is not known", hint="none or linear"
        )
    said.any("rope.scaling.factor", 1.0)  # of no meaning here, and some files have it
    return None


def _llama_values(config: LlamaConfig) -> dict[str, Any]:
    """Return what only a Llama's metadata say."""
    D = config.head_size
    values: dict[str, Any] = {"attention.layer_norm_rms_epsilon": config.norm_eps}
    if D * config.n_head != config.n_embd:
        values |= {"attention.key_length": D, "attention.value_length": D}
    windows = config.layer_windows
    sizes = {window for window in windows if window is not None}
    if sizes:
        values["attention.sliding_window"] = sizes.pop()
        if None in windows:
            values["attention.sliding_window_pattern"] = np.array([window is not None for window in windows])
    values |= {"rope.dimension_count": D, "rope.freq_base": config.rope_theta}
    if config.rope_scaling is not None and config.rope_scaling.kind == "linear":
        values |= {"rope.scaling.type": "linear", "rope.scaling.factor": config.rope_scaling.factor}
    return values


def _refuse_the_unsayable(config: LlamaConfig, architecture: str) -> None:
    """Refuse what readers of an architecture do not look for, and would compute otherwise."""
    fixed: dict[str, Any] = {"qk_norm": architecture == "qwen3"}
    if architecture != "llama":
        fixed |= {"qkv_bias": architecture == "qwen2", "out_bias": False, "mlp_bias": False}
    for name, value in fixed.items():
        if getattr(config, name) != value:
            raise ConfigError(
                f"GGUF: {name} is {getattr(config, name)}, and readers of {architecture} take it for {value}",
                hint="a folder with safetensors",
            )
    if len({window for window in config.layer_windows if window is not None}) > 1:
        raise ConfigError("GGUF: layers have windows of several sizes, and the format has one", hint="safetensors")
    scaling = config.rope_scaling
    if scaling is not None and scaling.kind == "llama3" and architecture != "llama":
        raise ConfigError(f"GGUF: readers of {architecture} know no RoPE scaling of kind llama3", hint="safetensors")


def _token(metadata: Mapping[str, Any], mark: str, V: int) -> int | None:
    """Return the id of a token that has a meaning, if the file says one and the model knows it."""
    i = metadata.get(f"tokenizer.ggml.{mark}_token_id")
    return i if type(i) is int and 0 <= i < V else None


def _same(value: Any, neutral: Any) -> bool:
    return (
        isinstance(value, bool) == isinstance(neutral, bool) and not isinstance(value, np.ndarray) and value == neutral
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
