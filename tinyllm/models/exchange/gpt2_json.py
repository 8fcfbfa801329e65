"""config.json of GPT-2: what it says of a GPT, and how a GPT is said in it.

It has options that a GPT here cannot express: an activation that is not GELU, scores that are not divided by sqrt(D) or
also by the number of the layer, attention to another text. Each of them is refused by its name. Attention weights are
never dropped here, so ``attn_pdrop`` is kept and written back, and has no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError, nearest
from .config_json import dtype_of, refuse_huge, refuse_other_classes, refuse_what_changes_the_math

CLASSES = ("GPT2LMHeadModel", "GPT2Model")
# key -> our field, and other spellings of the key that transformers takes
SIZES = {
    "vocab_size": ("vocab_size", ()),
    "n_positions": ("block_size", ("max_position_embeddings", "n_ctx")),
    "n_embd": ("n_embd", ("hidden_size",)),
    "n_layer": ("n_layer", ("num_hidden_layers",)),
    "n_head": ("n_head", ("num_attention_heads",)),
}
EXACT = "gelu"
TANH = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate")  # names of one formula
# option -> the one value that a GPT can express
ONLY = {
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "is_encoder_decoder": False,
}
READ = {
    *("model_type", "architectures", "n_inner", "activation_function", "layer_norm_epsilon", "resid_pdrop"),
    *("tie_word_embeddings", "dtype", "torch_dtype", *ONLY, *SIZES),
    *(other for _, others in SIZES.values() for other in others),
}


def read_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a GPT2Config that a config.json describes.

    Raises:
        ConfigError: see ``GPT2Config.from_json``.

    Example:
        >>> fields = read_json({"model_type": "gpt2", "vocab_size": 97, "n_positions": 64, "n_embd": 32, "n_layer": 2,
        ...                     "n_head": 4, "eos_token_id": 96})
        >>> fields["n_hidden"], fields["dropout"], fields["extra"]
        (128, 0.1, {'eos_token_id': 96})
    """
    refuse_huge(values)
    if values.get("model_type") != "gpt2":
        raise ConfigError(f"config.json: model_type is {values.get('model_type')!r}, not 'gpt2'")
    refuse_other_classes(values, CLASSES, "gpt2")
    for key, only in ONLY.items():
        if values.get(key, only) != only:
            raise ConfigError(f"config.json: {key} is {values[key]!r}, and only {only!r} can be expressed here")
    refuse_what_changes_the_math(values, (*READ, "reorder_and_upcast_attn"))
    activation = values.get("activation_function", "gelu_new")
    if activation not in (*TANH, EXACT):
        raise ConfigError(
            f"config.json: activation_function is {activation!r}, and a GPT has GELU", hint=f"{TANH[0]} or {EXACT}"
        )
    sizes = {field: _size(values, key, others) for key, (field, others) in SIZES.items()}
    inner = values.get("n_inner")
    if inner is not None and (type(inner) is not int or inner < 1):
        raise ConfigError(f"config.json: n_inner is {inner!r}", hint="a whole number, or null for 4 n_embd")
    return {
        **sizes,
        "n_hidden": inner or 4 * sizes["n_embd"],
        "mlp": "gelu_exact" if activation == EXACT else "gelu",
        "dropout": values.get("resid_pdrop", 0.1),
        "tied": bool(values.get("tie_word_embeddings", True)),
        "norm_eps": values.get("layer_norm_epsilon", 1e-5),
        "dtype": dtype_of(values),
        "extra": {key: value for key, value in values.items() if key not in READ},
    }


def write_json(config: Any) -> dict[str, Any]:
    """Return what config.json says of a GPT2Config.

    Example:
        >>> from tinyllm.models.exchange.gpt2_config import GPT2Config
        >>> values = write_json(GPT2Config(n_layer=2))
        >>> values["n_layer"], values["n_inner"], values["activation_function"]
        (2, None, 'gelu_new')
    """
    return {
        "embd_pdrop": config.dropout,
        "attn_pdrop": 0.0,
        **config.extra,
        "model_type": "gpt2",
        "architectures": [CLASSES[0]],
        **{key: getattr(config, field) for key, (field, _) in SIZES.items()},
        "n_inner": None if config.n_hidden == 4 * config.n_embd else config.n_hidden,
        "activation_function": EXACT if config.mlp == "gelu_exact" else TANH[0],
        "layer_norm_epsilon": config.norm_eps,
        "resid_pdrop": config.dropout,
        "tie_word_embeddings": config.tied,
        **ONLY,
        "dtype": config.dtype,
        "torch_dtype": config.dtype,
    }


def _size(values: Mapping[str, Any], key: str, others: tuple[str, ...]) -> int:
    """Return a size under the first of its names that is there."""
    spelled = next((name for name in (key, *others) if values.get(name) is not None), None)
    if spelled is None:
        close = nearest(key, [own for own in values if own not in READ])
        raise ConfigError(f"config.json: there is no {key}", hint=close and f"{close} looks like it")
    value = values[spelled]
    if type(value) is not int or value < 1:
        raise ConfigError(f"config.json: {spelled} is {value!r}", hint="a whole number, 1 or more")
    return value
