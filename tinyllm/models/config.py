"""GPTConfig: all that describes a GPT, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import ConfigError, nearest

CHOICES = {"position": ("learned", "rope"), "norm": ("layer", "rms"), "mlp": ("gelu", "gelu_exact", "swiglu")}


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a GPT and the choices made in it. The defaults are GPT-2 small.

    Attributes:
        vocab_size: V, how many tokens there are.
        block_size: T, the longest sequence.
        n_layer: L, number of blocks.
        n_head: H, number of query heads; it divides ``n_embd``.
        n_kv_head: K, number of key/value heads; it divides ``n_head``. 0 becomes ``n_head``.
        n_embd: C, the width.
        n_hidden: F, the width inside of the MLP. 0 becomes 4 C for gelu, and 8/3 C rounded up to a multiple of 8 for
            swiglu, whose third matrix makes the two equal in size.
        dropout: probability of dropping entries of the embeddings and of what each half of a block adds.
        bias: do linear layers and LayerNorms have one?
        window: how many positions each query sees, itself included; None for all.
        position: "learned" (a vector for every position) or "rope" (queries and keys turned; ``rope_half``).
        norm: "layer" or "rms".
        mlp: "gelu" (GPT-2's, the tanh form), "gelu_exact" (nanoGPT's) or "swiglu".
        tied: does the head share the matrix of the token embedding?
        rope_theta: base of the angles, for position = "rope".
        norm_eps: what keeps the norms' division finite.

    Raises:
        ConfigError: a value is out of range or at odds with another one.

    Example:
        >>> GPTConfig(n_layer=4, n_head=4, n_embd=130)
        Traceback (most recent call last):
            ...
        tinyllm.errors.ConfigError: E-CONFIG GPTConfig: n_head=4 does not divide n_embd=130. Try: n_embd=132
    """

    vocab_size: int = 50257
    block_size: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_kv_head: int = 0
    n_embd: int = 768
    n_hidden: int = 0
    dropout: float = 0.0
    bias: bool = True
    window: int | None = None
    position: str = "learned"
    norm: str = "layer"
    mlp: str = "gelu"
    tied: bool = True
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        self._check_kinds()
        if not self.n_kv_head:
            object.__setattr__(self, "n_kv_head", self.n_head)
        if not self.n_hidden:
            hidden = -(-8 * self.n_embd // 24) * 8 if self.mlp == "swiglu" else 4 * self.n_embd
            object.__setattr__(self, "n_hidden", hidden)
        self._check_fit()

    @property
    def head_size(self) -> int:
        """D, the width of one head."""
        return self.n_embd // self.n_head

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> GPTConfig:
        """Make a config from a preset, with some fields of your own.

        "gpt2": learned positions, LayerNorm, GELU, biases, tied head; without overrides, GPT-2 small.
        "modern": RoPE, RMSNorm, SwiGLU, no biases, two query heads to a key/value head (where their number is even),
        tied head: the architecture of Llama's config.

        Raises:
            ConfigError: there is no such preset or field; the nearest is named.

        Example:
            >>> config = GPTConfig.preset("modern", n_layer=4, n_head=4, n_embd=128)
            >>> config.n_kv_head, config.n_hidden, config.position
            (2, 344, 'rope')
        """
        if name not in PRESETS:
            close = nearest(name, PRESETS)
            raise ConfigError(f"GPTConfig: there is no preset {name!r}", hint=close or " or ".join(PRESETS))
        chosen = {**PRESETS[name], **overrides}
        heads = chosen.get("n_head", cls.n_head)
        if name == "modern" and "n_kv_head" not in chosen and isinstance(heads, int) and heads % 2 == 0:
            chosen["n_kv_head"] = heads // 2
        return cls.from_dict(chosen)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GPTConfig:
        """Make a config from a dictionary; fields that are not in it take their defaults.

        Raises:
            ConfigError: a key is no field; the nearest is named.

        Example:
            >>> GPTConfig.from_dict({"n_heads": 4})
            Traceback (most recent call last):
                ...
            tinyllm.errors.ConfigError: E-CONFIG GPTConfig: there is no field 'n_heads'. Try: n_head
        """
        names = [field.name for field in fields(cls)]
        for key in values:
            if key not in names:
                hint = nearest(str(key), names) or "one of " + ", ".join(names)
                raise ConfigError(f"GPTConfig: there is no field {key!r}", hint=hint)
        return cls(**values)

    def _check_kinds(self) -> None:
        """Every field holds the kind of value it should, within its own range."""
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            _check_int(name, getattr(self, name), 1)
        _check_int("n_kv_head", self.n_kv_head, 0)
        _check_int("n_hidden", self.n_hidden, 0)
        if self.window is not None:
            _check_int("window", self.window, 1)
        for name in ("bias", "tied"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"GPTConfig: {name} is {getattr(self, name)!r}", hint="True or False")
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                hint = nearest(str(value), choices) or " or ".join(choices)
                raise ConfigError(f"GPTConfig: {name} is {value!r}", hint=hint)
        _check_float("dropout", self.dropout, self.dropout == 0 or _within(self.dropout, 0, 1), "from 0 to below 1")
        _check_float("rope_theta", self.rope_theta, _within(self.rope_theta, 0, float("inf")), "above 0")
        _check_float("norm_eps", self.norm_eps, _within(self.norm_eps, 0, 1), "above 0, such as 1e-5")

    def _check_fit(self) -> None:
        """The fields fit each other."""
        C, H, K = self.n_embd, self.n_head, self.n_kv_head
        if self.vocab_size < 2:
            raise ConfigError("GPTConfig: vocab_size is 1, so there is nothing to predict", hint="2 or more tokens")
        if C % H:
            raise ConfigError(f"GPTConfig: n_head={H} does not divide n_embd={C}", hint=f"n_embd={-(-C // H) * H}")
        if H % K:
            fit = max(d for d in range(1, min(K, H) + 1) if H % d == 0)
            raise ConfigError(f"GPTConfig: n_kv_head={K} does not divide n_head={H}", hint=f"n_kv_head={fit}")
        if self.position == "rope" and self.head_size % 2:
            raise ConfigError(
                f"GPTConfig: rope turns pairs of channels, and a head of n_embd/n_head = {C}/{H} has {self.head_size}",
                hint=f"n_embd={H * (self.head_size + 1)}",
            )


def _check_int(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"GPTConfig: {name} is {value!r}", hint=f"a whole number, {least} or more")


def _check_float(name: str, value: Any, fits: bool, wanted: str) -> None:
    if not fits:
        raise ConfigError(f"GPTConfig: {name} is {value!r}", hint=f"a number {wanted}")


def _within(value: Any, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low < value < high


PRESETS: dict[str, dict[str, Any]] = {
    "gpt2": {"position": "learned", "norm": "layer", "mlp": "gelu", "bias": True, "tied": True},
    "modern": {"position": "rope", "norm": "rms", "mlp": "swiglu", "bias": False, "tied": True, "norm_eps": 1e-6},
}
