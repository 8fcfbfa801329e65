"""LlamaConfig: all that describes a Llama, Mistral, Qwen2 or Qwen3, which are one decoder with different choices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import ConfigError, nearest
from ..nn import RopeScaling
from .config import GPTConfig
from .exchange.llama_json import CLASSES, read_json, write_json


@dataclass(frozen=True)
class LlamaConfig:
    """The sizes of a decoder of Llama's kind and the choices made in it. The defaults are Llama's, 7 billion large.

    Attributes:
        family: "llama", "mistral", "qwen2" or "qwen3": whose config.json this is. The fields below alone decide what is
            computed.
        vocab_size: V, how many tokens there are.
        block_size: T, the longest sequence.
        n_layer, n_head, n_embd, n_hidden: L, H, C and F.
        n_kv_head: K, number of key/value heads; it divides ``n_head``. 0 becomes ``n_head``.
        head_size: D, even; it need not be C / H, which 0 becomes.
        windows: for each layer how many positions a query sees, itself included, or None for all; one for all layers
            alike becomes L of them.
        qkv_bias, out_bias, mlp_bias: do the linear layers have one?
        qk_norm: is each head's query and key normed, before its position is applied?
        tied: does the head share the matrix of the token embedding?
        rope_theta, rope_scaling: base of the angles, and what slows them down (``rope_half``).
        norm_eps: what keeps the norms' division finite.
        dropout: probability of dropping attention weights while training.
        init_std: standard deviation of initial weights.
        dtype: type of the weights in a file; here it decides nothing.
        extra: what else was in config.json, kept to be written back.

    Raises:
        ConfigError: a value is out of range or at odds with another one.

    Example:
        >>> config = LlamaConfig("qwen3", n_layer=2, n_head=4, n_kv_head=2, n_embd=32, head_size=16, qk_norm=True)
        >>> config.windows, LlamaConfig.from_json(config.to_json()) == config
        ((None, None), True)
    """

    family: str = "llama"
    vocab_size: int = 32000
    block_size: int = 2048
    n_layer: int = 32
    n_head: int = 32
    n_kv_head: int = 0
    n_embd: int = 4096
    head_size: int = 0
    n_hidden: int = 11008
    windows: tuple[int | None, ...] | int | None = None
    qkv_bias: bool = False
    out_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    tied: bool = False
    rope_theta: float = 10000.0
    rope_scaling: RopeScaling | None = None
    norm_eps: float = 1e-6
    dropout: float = 0.0
    init_std: float = 0.02
    dtype: str = "float32"
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        self._check_kinds()
        if not self.n_kv_head:
            object.__setattr__(self, "n_kv_head", self.n_head)
        if not self.head_size:
            if self.n_embd % self.n_head:
                raise ConfigError(
                    f"LlamaConfig: n_head={self.n_head} does not divide n_embd={self.n_embd}", hint="give head_size"
                )
            object.__setattr__(self, "head_size", self.n_embd // self.n_head)
        one = self.windows
        object.__setattr__(self, "windows", tuple(one) if isinstance(one, (tuple, list)) else (one,) * self.n_layer)
        self._check_fit()

    @classmethod
    def from_gpt(cls, config: GPTConfig) -> LlamaConfig:
        """Describe a GPT in Llama's words: the same model, with the same names and shapes of its parameters.

        Raises:
            ConfigError: it is no GPT of the preset "modern".

        Example:
            >>> LlamaConfig.from_gpt(GPTConfig.preset("modern", window=64)).family
            'mistral'
        """
        kinds = (config.position, config.norm, config.mlp)
        if kinds != ("rope", "rms", "swiglu"):
            raise ConfigError(
                f"LlamaConfig: a GPT with {', '.join(kinds)} is no Llama", hint='GPTConfig.preset("modern")'
            )
        sizes = ("vocab_size", "block_size", "n_layer", "n_head", "n_kv_head", "n_embd", "n_hidden")
        shared = {name: getattr(config, name) for name in (*sizes, "tied", "rope_theta", "norm_eps")}
        return cls(
            "llama" if config.window is None else "mistral",
            **shared,
            windows=config.window,
            qkv_bias=config.bias,
            out_bias=config.bias,
            mlp_bias=config.bias,
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LlamaConfig:
        """Read what a config.json holds, in any of its spellings.

        Raises:
            ConfigError: the model is of no family known here, a size is missing, two spellings contradict each other,
                or a key changes the math in a way that is not understood.

        Example:
            >>> old = {"model_type": "llama", "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48,
            ...        "num_hidden_layers": 2, "num_attention_heads": 4, "rope_theta": 5e5, "rope_scaling": None}
            >>> LlamaConfig.from_json(old).rope_theta
            500000.0
        """
        return cls(**read_json(values))

    def to_json(self) -> dict[str, Any]:
        """Return what to write into config.json, in both spellings.

        Raises:
            ConfigError: the family's config.json has no word for one of the choices.
        """
        values = write_json(self)
        again = LlamaConfig.from_json(values)
        lost = [f.name for f in fields(self) if getattr(again, f.name) != getattr(self, f.name)]
        if lost:
            said = ", ".join(f"{name}={getattr(self, name)!r}" for name in lost)
            raise ConfigError(f"LlamaConfig: a config.json of {self.family} cannot say {said}", hint="another family")
        return values

    @property
    def layer_windows(self) -> tuple[int | None, ...]:
        """One window, or None, for each of the L layers."""
        return self.windows if isinstance(self.windows, tuple) else (self.windows,) * self.n_layer

    def _check_kinds(self) -> None:
        """Every field holds the kind of value it should, within its own range."""
        if self.family not in CLASSES:
            hint = nearest(str(self.family), CLASSES) or ", ".join(CLASSES)
            raise ConfigError(f"LlamaConfig: there is no family {self.family!r}", hint=hint)
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd", "n_hidden"):
            _check_int(name, getattr(self, name), 1)
        for name in ("n_kv_head", "head_size"):
            _check_int(name, getattr(self, name), 0)
        for name in ("qkv_bias", "out_bias", "mlp_bias", "qk_norm", "tied"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"LlamaConfig: {name} is {getattr(self, name)!r}", hint="True or False")
        if self.rope_scaling is not None and not isinstance(self.rope_scaling, RopeScaling):
            raise ConfigError(f"LlamaConfig: rope_scaling is {self.rope_scaling!r}", hint="None or an nn.RopeScaling")
        _check_float("rope_theta", self.rope_theta, 0 < _number(self.rope_theta) < float("inf"), "above 0")
        _check_float("norm_eps", self.norm_eps, 0 < _number(self.norm_eps) < 1, "above 0, such as 1e-6")
        _check_float("dropout", self.dropout, 0 <= _number(self.dropout) < 1, "from 0 to below 1")
        _check_float("init_std", self.init_std, 0 <= _number(self.init_std) < float("inf"), "0 or more")

    def _check_fit(self) -> None:
        """The fields fit each other."""
        H, K, D = self.n_head, self.n_kv_head, self.head_size
        if H % K:
            raise ConfigError(f"LlamaConfig: n_kv_head={K} does not divide n_head={H}", hint="a divisor of n_head")
        if D % 2:
            raise ConfigError(f"LlamaConfig: head_size={D} is odd, and rope turns pairs", hint=f"head_size={D + 1}")
        if len(self.layer_windows) != self.n_layer:
            raise ConfigError(f"LlamaConfig: {len(self.layer_windows)} windows for n_layer={self.n_layer}")
        for window in self.layer_windows:
            if window is not None:
                _check_int("windows", window, 1)


def _check_int(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"LlamaConfig: {name} is {value!r}", hint=f"a whole number, {least} or more")


def _check_float(name: str, value: Any, fits: bool, wanted: str) -> None:
    if not fits:
        raise ConfigError(f"LlamaConfig: {name} is {value!r}", hint=f"a number {wanted}")


def _number(value: Any) -> float:
    """Return a number as it is, and one outside of every range for anything else."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else float("nan")
