"""BertConfig: all that describes a BERT encoder, read from the config.json of a published model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, nearest

# our field -> the key of config.json
KEYS = {
    "vocab_size": "vocab_size",
    "block_size": "max_position_embeddings",
    "n_type": "type_vocab_size",
    "n_layer": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "n_embd": "hidden_size",
    "n_hidden": "intermediate_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "activation": "hidden_act",
    "norm_eps": "layer_norm_eps",
}
# their spelling of an activation -> ours
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
# keys that change the mathematics, and the one value of each that is built here
ONLY: dict[str, Any] = {
    "model_type": "bert",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "is_encoder_decoder": False,
    "add_cross_attention": False,
    "quantization_config": None,
}


@dataclass(frozen=True)
class BertConfig:
    """The sizes of a BERT encoder and the choices made in it. The defaults are BERT base, uncased.

    Attributes:
        vocab_size: V, how many tokens there are.
        block_size: T, the longest sequence.
        n_type: how many kinds of token there are: of the first text, of the second.
        n_layer: L, number of layers.
        n_head: H, number of heads; it divides ``n_embd``.
        n_embd: C, the width.
        n_hidden: F, the width inside of the MLP.
        dropout: probability of dropping entries of the embeddings and of what each half of a layer adds.
        attention_dropout: probability of dropping attention weights.
        activation: "gelu" (exact), "gelu_tanh", "relu" or "silu".
        norm_eps: what keeps the LayerNorms' division finite; it comes from the file, never from habit.
        others: the keys of config.json that change nothing here; they are written back.

    Raises:
        ConfigError: a value is out of range or at odds with another one.

    Example:
        >>> BertConfig(n_head=7)
        Traceback (most recent call last):
            ...
        tinyllm.errors.ConfigError: E-CONFIG BertConfig: n_head=7 does not divide n_embd=768. Try: n_embd=770
    """

    vocab_size: int = 30522
    block_size: int = 512
    n_type: int = 2
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    n_hidden: int = 3072
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation: str = "gelu"
    norm_eps: float = 1e-12
    others: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("vocab_size", "block_size", "n_type", "n_layer", "n_head", "n_embd", "n_hidden"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"BertConfig: {name} is {value!r}", hint="a whole number, 1 or more")
        for name in ("dropout", "attention_dropout"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 <= value < 1):
                raise ConfigError(f"BertConfig: {name} is {value!r}", hint="a number from 0 to below 1")
        if not (_is_number(self.norm_eps) and 0 < self.norm_eps < 1):
            raise ConfigError(f"BertConfig: norm_eps is {self.norm_eps!r}", hint="a number above 0, such as 1e-12")
        if self.activation not in ACTIVATIONS.values():
            hint = nearest(str(self.activation), ACTIVATIONS.values()) or "gelu, gelu_tanh, relu or silu"
            raise ConfigError(f"BertConfig: activation is {self.activation!r}", hint=hint)
        C, H = self.n_embd, self.n_head
        if C % H:
            raise ConfigError(f"BertConfig: n_head={H} does not divide n_embd={C}", hint=f"n_embd={-(-C // H) * H}")

    @property
    def head_size(self) -> int:
        """D, the width of one head."""
        return self.n_embd // self.n_head

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> BertConfig:
        """Make a config from what a config.json holds; a key that is not there has BERT base's value.

        Raises:
            ConfigError: it describes another kind of model, or asks for something that is not built here.

        Example:
            >>> BertConfig.from_json({"model_type": "bert", "hidden_size": 384, "layer_norm_eps": 1e-5}).norm_eps
            1e-05
            >>> BertConfig.from_json({"model_type": "bert", "position_embedding_type": "relative_key"})
            Traceback (most recent call last):
                ...
            tinyllm.errors.ConfigError: E-CONFIG BertConfig: position_embedding_type is 'relative_key', and only
                'absolute' is built here
        """
        for key, only in ONLY.items():
            if values.get(key, only) != only:
                raise ConfigError(f"BertConfig: {key} is {values[key]!r}, and only {only!r} is built here")
        chosen = {ours: values[key] for ours, key in KEYS.items() if key in values}
        if "activation" in chosen:
            theirs = chosen["activation"]
            if not isinstance(theirs, str) or theirs not in ACTIVATIONS:
                close = nearest(str(theirs), ACTIVATIONS)
                raise ConfigError(f"BertConfig: hidden_act is {theirs!r}", hint=close or ", ".join(ACTIVATIONS))
            chosen["activation"] = ACTIVATIONS[theirs]
        others = {key: value for key, value in values.items() if key not in KEYS.values()}
        return cls(**chosen, others=others)

    @classmethod
    def from_file(cls, path: str | Path) -> BertConfig:
        """Read a config.json.

        Raises:
            ConfigError: the file cannot be read, is no JSON object, or ``from_json`` refuses it.
        """
        try:
            values = json.loads(Path(path).read_bytes())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(f"cannot read the config {path}: {reason}", hint="the config.json of a model") from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path} is no JSON: {error}", hint="the config.json of a model") from None
        if not isinstance(values, dict):
            raise ConfigError(f"{path} holds no JSON object", hint="the config.json of a model")
        return cls.from_json(values)

    def to_json(self) -> dict[str, Any]:
        """Return what config.json holds, its keys that mean nothing here included.

        Example:
            >>> config = BertConfig(n_layer=6, activation="gelu_tanh")
            >>> BertConfig.from_json(config.to_json()) == config, config.to_json()["hidden_act"]
            (True, 'gelu_new')
        """
        spelled = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
        values = {key: getattr(self, ours) for ours, key in KEYS.items()}
        values["hidden_act"] = spelled[self.activation]
        ours = {"model_type": "bert", "architectures": ["BertModel"]}
        return {**ours, **self.others, **values}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
