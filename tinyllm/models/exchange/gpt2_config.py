"""GPT2Config: a GPT that GPT-2's config.json can describe, with all else that was said there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import ConfigError
from ..config import GPTConfig
from .gpt2_json import read_json, write_json


@dataclass(frozen=True)
class GPT2Config(GPTConfig):
    """The sizes of a GPT-2, and what its file says besides.

    Attributes:
        dtype: type of the weights in a file; here it decides nothing.
        extra: what else was in config.json, such as ``eos_token_id``, kept to be written back.

    Raises:
        ConfigError: a value is out of range, or no GPT-2 is made so.

    Example:
        >>> config = GPT2Config(n_layer=2, extra={"eos_token_id": 50256})
        >>> GPT2Config.from_json(config.to_json()).extra["eos_token_id"]
        50256
        >>> GPT2Config(position="rope")
        Traceback (most recent call last):
            ...
        tinyllm.errors.ConfigError: E-CONFIG GPT2Config: position='rope' is no GPT-2. Try: position='learned'
    """

    dtype: str = "float32"
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        only = {"position": "learned", "norm": "layer", "window": None, "n_kv_head": self.n_head}
        only |= {"mlp": "gelu"} if self.mlp == "swiglu" else {}
        for name, value in only.items():
            if getattr(self, name) != value:
                raise ConfigError(f"GPT2Config: {name}={getattr(self, name)!r} is no GPT-2", hint=f"{name}={value!r}")

    @classmethod
    def from_gpt(cls, config: GPTConfig) -> GPT2Config:
        """Describe a GPT of the preset "gpt2" as GPT-2: the same model.

        Raises:
            ConfigError: it is another kind of GPT; says what differs.
        """
        return config if isinstance(config, cls) else cls(**config.to_dict())

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> GPT2Config:
        """Read what a config.json holds.

        Raises:
            ConfigError: it is of another family, a size is missing or none, or an option changes the math in a way
                that a GPT cannot express or that is not understood.
        """
        return cls(**read_json(values))

    def to_json(self) -> dict[str, Any]:
        """Return what to write into config.json. It has no word for missing biases: there, they are zeros."""
        return write_json(self)
