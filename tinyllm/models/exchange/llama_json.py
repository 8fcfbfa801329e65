"""config.json of Llama, Mistral, Qwen2 and Qwen3: every spelling it has had is read, and both are written.

    meaning                     newer                                    older
    positions                   rope_parameters {rope_theta, rope_type}  rope_theta, rope_scaling {type, ...} or null
    type of the weights         dtype                                    torch_dtype
    size of a head              head_dim                                 absent: hidden_size / num_attention_heads
    which layers have a window  layer_types                              use_sliding_window, max_window_layers

What is absent has the value that its family gives it. A key that nobody here knows is kept and written back, unless its
name says that it changes what is computed: then it is refused, not ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError, nearest
from ...nn import RopeScaling
from .config_json import dtype_of, refuse_huge, refuse_other_classes, refuse_what_changes_the_math

# family -> the class it has in transformers, and what its config.json means by what it leaves out
CLASSES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}
ABSENT: dict[str, dict[str, Any]] = {
    "llama": {"max_position_embeddings": 2048},
    "mistral": {"max_position_embeddings": 131072, "num_key_value_heads": 8, "sliding_window": 4096},
    "qwen2": {"max_position_embeddings": 32768, "num_key_value_heads": 32, "sliding_window": 4096},
    "qwen3": {"max_position_embeddings": 32768, "num_key_value_heads": 32, "sliding_window": 4096, "head_dim": 128},
}
SIZES = {
    "vocab_size": "vocab_size",
    "hidden_size": "n_embd",
    "intermediate_size": "n_hidden",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
}
# keys with a meaning here; every other one goes through refuse_what_changes_the_math
READ = {
    *("model_type", "architectures", *SIZES, "num_key_value_heads", "head_dim", "max_position_embeddings"),
    *("hidden_act", "rms_norm_eps", "initializer_range", "attention_dropout", "tie_word_embeddings"),
    *("rope_parameters", "rope_theta", "rope_scaling", "original_max_position_embeddings"),
    *("use_sliding_window", "sliding_window", "max_window_layers", "layer_types"),
    *("attention_bias", "mlp_bias", "dtype", "torch_dtype"),
}


def read_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a LlamaConfig that a config.json describes; ``LlamaConfig.from_json`` makes one of them.

    Raises:
        ConfigError: see ``LlamaConfig.from_json``.

    Example:
        >>> values = {"model_type": "qwen2", "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48,
        ...           "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
        >>> fields = read_json(values)
        >>> fields["qkv_bias"], fields["out_bias"], fields["windows"]
        (True, False, (None, None))
    """
    family = _family(values)
    refuse_huge(values)
    refuse_what_changes_the_math(values, READ)
    for key in SIZES:
        if values.get(key) is None:
            close = nearest(key, [own for own in values if own not in READ])
            raise ConfigError(f"config.json: there is no {key}", hint=close and f"{close} looks like it")
    known = {**ABSENT[family], **values}
    for key in (*SIZES, "max_position_embeddings"):
        if type(known[key]) is not int or known[key] < 1:
            raise ConfigError(f"config.json: {key} is {known[key]!r}", hint="a whole number, 1 or more")
    biased = bool(known.get("attention_bias"))
    if biased and family in ("mistral", "qwen2"):
        raise ConfigError(f"config.json: {family} has no attention_bias", hint="a family that has it: llama")
    if known.get("mlp_bias") and family != "llama":
        raise ConfigError(f"config.json: {family} has no mlp_bias", hint="a family that has it: llama")
    if known.get("hidden_act", "silu") not in ("silu", "swish"):
        raise ConfigError(f"config.json: hidden_act is {known['hidden_act']!r}", hint="only silu is known here")
    theta, scaling = _rope(values, known["max_position_embeddings"])
    return {
        "family": family,
        **{name: known[key] for key, name in SIZES.items()},
        "block_size": known["max_position_embeddings"],
        "n_kv_head": known.get("num_key_value_heads") or 0,
        "head_size": known.get("head_dim") or 0,
        "windows": _windows(family, known),
        "qkv_bias": biased or family == "qwen2",
        "out_bias": biased,
        "mlp_bias": bool(known.get("mlp_bias")),
        "qk_norm": family == "qwen3",
        "tied": bool(known.get("tie_word_embeddings", False)),
        "rope_theta": theta,
        "rope_scaling": scaling,
        "norm_eps": known.get("rms_norm_eps", 1e-6),
        "dropout": known.get("attention_dropout") or 0.0,
        "init_std": known.get("initializer_range", 0.02),
        "dtype": dtype_of(known),
        "extra": {key: value for key, value in values.items() if key not in READ},
    }


def write_json(config: Any) -> dict[str, Any]:
    """Return what config.json says of a LlamaConfig, as far as the family has words for it.

    Example:
        >>> from tinyllm.models import LlamaConfig
        >>> values = write_json(LlamaConfig(rope_theta=5e5))
        >>> values["rope_parameters"], values["rope_theta"], values["rope_scaling"]
        ({'rope_theta': 500000.0, 'rope_type': 'default'}, 500000.0, None)
    """
    values = {
        **config.extra,
        "model_type": config.family,
        "architectures": [f"{CLASSES[config.family]}ForCausalLM"],
        **{key: getattr(config, name) for key, name in SIZES.items()},
        "num_key_value_heads": config.n_kv_head,
        "head_dim": config.head_size,
        "max_position_embeddings": config.block_size,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "initializer_range": config.init_std,
        "attention_dropout": config.dropout,
        "tie_word_embeddings": config.tied,
        **_write_rope(config.rope_theta, config.rope_scaling),
        **_write_windows(config.family, config.layer_windows),
        "dtype": config.dtype,
        "torch_dtype": config.dtype,
    }
    if config.family in ("llama", "qwen3"):
        values["attention_bias"] = config.qkv_bias
    if config.family == "llama":
        values["mlp_bias"] = config.mlp_bias
    return values


def _family(values: Mapping[str, Any]) -> str:
    """Return the family that config.json names."""
    family = str(values.get("model_type"))
    if family not in CLASSES:
        hint = nearest(family, CLASSES) or "one of " + ", ".join(CLASSES)
        raise ConfigError(f"config.json: model_type is {values.get('model_type')!r}, none of Llama's kind", hint=hint)
    refuse_other_classes(values, (f"{CLASSES[family]}ForCausalLM",), family)
    return family


def _rope(values: Mapping[str, Any], longest: int) -> tuple[float, RopeScaling | None]:
    """Return the base of the angles and what slows them down, from either spelling; both if they agree."""
    spellings = [values[key] for key in ("rope_parameters", "rope_scaling") if values.get(key)]
    if not all(isinstance(spelling, Mapping) for spelling in spellings):
        raise ConfigError("config.json: rope_parameters and rope_scaling hold named values, and these do not")
    given = [values.get("rope_theta"), *(spelling.get("rope_theta") for spelling in spellings)]
    if not all(theta is None or isinstance(theta, (int, float)) for theta in given):
        raise ConfigError(f"config.json: rope_theta is {given}", hint="one number above 0")
    thetas = {theta for theta in given if theta is not None}
    original = values.get("original_max_position_embeddings")
    scalings = [_scaling(spelling, original, longest) for spelling in spellings]
    if len(thetas) > 1 or any(scaling != scalings[0] for scaling in scalings):
        raise ConfigError("config.json: rope_parameters, rope_theta and rope_scaling contradict each other")
    return thetas.pop() if thetas else 10000.0, scalings[0] if scalings else None


def _scaling(spelling: Mapping[str, Any], original: int | None, longest: int) -> RopeScaling | None:
    """Read one spelling of what slows the angles down."""
    kind = spelling.get("rope_type", spelling.get("type", "default"))
    wanted = {"default": (), "linear": ("factor",), "llama3": ("factor", "low_freq_factor", "high_freq_factor")}
    if not isinstance(kind, str) or kind not in wanted:
        raise ConfigError(f"config.json: RoPE scaling of type {kind!r} is not known here", hint=", ".join(wanted))
    known = {"rope_theta", "rope_type", "type", "original_max_position_embeddings", *wanted[kind]}
    for key, value in spelling.items():
        if key not in known and value is not None and value != 1:
            raise ConfigError(f"config.json: {key}={value!r} in RoPE parameters of type {kind!r} is not understood")
    for key in wanted[kind]:
        if spelling.get(key) is None:
            raise ConfigError(f"config.json: RoPE scaling of type {kind!r} lacks {key}")
    if kind == "default":
        return None
    if kind == "linear":
        return RopeScaling("linear", spelling["factor"])
    trained = original or spelling.get("original_max_position_embeddings") or longest
    factor, low, high = (spelling[key] for key in wanted[kind])
    return RopeScaling("llama3", factor, low, high, trained)


def _write_rope(theta: float, scaling: RopeScaling | None) -> dict[str, Any]:
    """Spell the angles both ways."""
    if scaling is None:
        new: dict[str, Any] = {"rope_type": "default"}
    else:
        new = {"rope_type": scaling.kind, "factor": scaling.factor}
        if scaling.kind == "llama3":
            new |= {"low_freq_factor": scaling.low, "high_freq_factor": scaling.high}
            new["original_max_position_embeddings"] = scaling.original
    old = None if scaling is None else {**new, "type": scaling.kind}
    return {"rope_parameters": {"rope_theta": theta, **new}, "rope_theta": theta, "rope_scaling": old}


def _windows(family: str, known: Mapping[str, Any]) -> tuple[int | None, ...]:
    """Return each layer's window, from either spelling."""
    L, window, types = known["num_hidden_layers"], known.get("sliding_window"), known.get("layer_types")
    if family == "llama" and window is not None:
        raise ConfigError(f"config.json: llama has no sliding_window, and here it is {window!r}", hint="mistral")
    if family.startswith("qwen"):
        window = window if known.get("use_sliding_window") else None
        first = known.get("max_window_layers", 28)
        if type(first) is not int:
            raise ConfigError(f"config.json: max_window_layers is {first!r}", hint="a whole number")
    else:
        first = 0
    spelled = ["sliding_attention" if window is not None and i >= first else "full_attention" for i in range(L)]
    if types is None:
        types = spelled
    elif not isinstance(types, (list, tuple)) or len(types) != L:
        raise ConfigError(f"config.json: layer_types does not name a type for each of {L} layers")
    elif not family.startswith("qwen") and list(types) != spelled:
        raise ConfigError(f"config.json: {family}'s layers are all alike, and layer_types says otherwise")
    for name in types:
        if name not in ("full_attention", "sliding_attention") or (name == "sliding_attention" and window is None):
            raise ConfigError(f"config.json: a layer has {name} with a window of {window}", hint="full_attention")
    return tuple(window if name == "sliding_attention" else None for name in types)


def _write_windows(family: str, windows: tuple[int | None, ...]) -> dict[str, Any]:
    """Spell the windows both ways; layers in any other order than full ones first only the newer can say."""
    window = next((w for w in windows if w is not None), None)
    if family == "llama":
        return {}
    if family == "mistral":
        return {"sliding_window": window}
    return {
        "use_sliding_window": window is not None,
        "sliding_window": window,
        "max_window_layers": next((i for i, w in enumerate(windows) if w is not None), len(windows)),
        "layer_types": ["full_attention" if w is None else "sliding_attention" for w in windows],
    }
