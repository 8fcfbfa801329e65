"""What every config.json has in common: keys that are not understood are kept, unless they change what is computed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ...errors import ConfigError

# a key with one of these in its name changes what is computed
MATH = (
    *("rope", "rotary", "alibi", "partial", "norm", "bias", "residual", "expert", "window", "chunk", "clip"),
    *("scale", "scaling", "multiplier", "softcap", "quantization", "is_encoder_decoder", "cross_attention"),
)
LAYERS = ("n_layer", "num_hidden_layers")
LENGTHS = (
    *("vocab_size", "n_positions", "n_embd", "n_head", "n_inner", "hidden_size", "intermediate_size", "head_dim"),
    *("num_attention_heads", "num_key_value_heads", "max_position_embeddings", "type_vocab_size"),
)
MOST_LAYERS, LONGEST = 4096, (1 << 31) - 1
UNCHANGED: tuple[Any, ...] = (None, False, 0, 1, "", [], {})  # values by which such a key says that it is not in use


def refuse_what_changes_the_math(values: Mapping[str, Any], read: Collection[str]) -> None:
    """Refuse a key that is not understood and in use, if its name says that it changes what is computed.

    Args:
        values: what config.json holds.
        read: the keys that are understood.

    Raises:
        ConfigError: there is such a key.

    Example:
        >>> refuse_what_changes_the_math({"logit_scale": 0.06}, ())
        Traceback (most recent call last):
            ...
        tinyllm.errors.ConfigError: E-CONFIG config.json: logit_scale=0.06 changes the model, and is not understood here
    """
    for key, value in values.items():
        in_use = not any(value == unchanged for unchanged in UNCHANGED)
        if key not in read and in_use and any(word in key.lower() for word in MATH):
            raise ConfigError(f"config.json: {key}={value!r} changes the model, and is not understood here")
    if values.get("is_causal") is False:
        raise ConfigError("config.json: is_causal=False sees the future, and only the past is known here")


def refuse_huge(values: Mapping[str, Any]) -> None:
    """Refuse sizes that no model has, before anything is made or counted that is so large.

    Raises:
        ConfigError: there is such a size.

    Example:
        >>> refuse_huge({"n_layer": 10**12})
        Traceback (most recent call last):
            ...
        tinyllm.errors.ConfigError: E-CONFIG config.json: n_layer is 1,000,000,000,000. Try: 4,096 at most
    """
    for keys, most in ((LAYERS, MOST_LAYERS), (LENGTHS, LONGEST)):
        for key in keys:
            if isinstance(values.get(key), (int, float)) and values[key] > most:
                raise ConfigError(f"config.json: {key} is {values[key]:,}", hint=f"{most:,} at most")


def refuse_other_classes(values: Mapping[str, Any], known: Collection[str], family: str) -> None:
    """Refuse a model of another class of transformers than those known, as its architectures name it.

    Raises:
        ConfigError: there is one, or the names are none.
    """
    names = values.get("architectures") or []
    if not isinstance(names, list):
        raise ConfigError(f"config.json: architectures is {names!r}", hint="a list of names")
    for name in names:
        if name not in known:
            hint = f"only {' and '.join(known)} {'is' if len(known) == 1 else 'are'} known here"
            raise ConfigError(f"config.json: the architecture of this {family} is {name}", hint=hint)


def dtype_of(values: Mapping[str, Any]) -> str:
    """Return the type that config.json gives the weights, in either spelling.

    Example:
        >>> dtype_of({"torch_dtype": "torch.bfloat16"}), dtype_of({})
        ('bfloat16', 'float32')
    """
    return str(values.get("dtype") or values.get("torch_dtype") or "float32").removeprefix("torch.")


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {(error.strerror or str(error)).lower()}", hint="a folder as transformers saves it"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no JSON: {error}", hint=f"the {path.name} of a model") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no JSON object", hint=f"the {path.name} of a model")
    return values
