"""How many bytes a model takes while it writes texts, part by part, from its config alone.

Four things want memory at once: the model, in float32 whatever its file holds; what a Decoder makes of its matrices,
where that is a copy; the keys and values of all tokens; and what passes through a layer while texts are read. A window
saves time and no memory, for the cache has a place for every token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .. import kernels
from ..errors import ConfigError, nearest
from .config import GPTConfig
from .count import count_params
from .exchange.llama_names import llama_names
from .llama_config import LlamaConfig

FLOAT, BLOCK = 4, 32  # bytes of a float32, and weights that share a scale
FORMATS = {"float32": 4.0, "int8": 1 + FLOAT / BLOCK, "int4": 0.5 + FLOAT / BLOCK}  # bytes of a weight


@dataclass(frozen=True)
class Footprint:
    """The bytes that a model takes.

    Attributes:
        parameters: how many numbers it has; a tied head counts once.
        context, batch: for texts of how many tokens, and how many at once.
        model: bytes of the model once loaded, in float32.
        copies: for each format of weights, the bytes that a Decoder makes beside the model.
        making: as many more, for a moment, while it makes them.
        cache: bytes of keys and values.
        activations: bytes of what passes through a layer while the texts are read at once.

    Example:
        >>> sizes = Footprint(1000, 8, 2, 4000, {"float32": 0, "int8": 900}, {"float32": 0, "int8": 800}, 512, 256)
        >>> sizes.needs(), sizes.needs("int8")
        (4768, 5700)
    """

    parameters: int
    context: int
    batch: int
    model: int
    copies: dict[str, int]
    making: dict[str, int]
    cache: int
    activations: int

    def needs(self, weights: str = "float32") -> int:
        """Return the bytes that are in use at once, at most.

        Raises:
            ConfigError: there is no format of weights of this name.
        """
        if weights not in self.copies:
            hint = nearest(str(weights), self.copies) or ", ".join(self.copies)
            raise ConfigError(f"plan: there is no format {weights!r} of weights", hint=hint)
        return self.model + self.copies[weights] + max(self.making[weights], self.cache + self.activations)


def footprint(config: GPTConfig | LlamaConfig, context: int | None = None, batch: int = 1) -> Footprint:
    """Say what a model of a config takes.

    Args:
        config: of a GPT or a Llama.
        context: how many tokens a text may have; as many as the model knows positions, unless told otherwise.
        batch: how many texts at once.

    Raises:
        ConfigError: context or batch are out of range.

    Example:
        >>> sizes = footprint(GPTConfig.preset("gpt2"))
        >>> sizes.parameters, sizes.model, sizes.cache
        (124439808, 497759232, 75497472)
    """
    T = config.block_size if context is None else context
    if type(T) is not int or not 1 <= T <= config.block_size:
        raise ConfigError(f"plan: context is {context!r}", hint=f"1 to {config.block_size:,}, the model's positions")
    if type(batch) is not int or batch < 1:
        raise ConfigError(f"plan: batch is {batch!r}", hint="1 or more")
    parameters = count(config)
    matrices = _matrices(config)
    # while one is rounded: its blocks over their scales, their signs, what was rounded, and two smaller ones
    largest = max(rows * -(-width // BLOCK) * BLOCK * (4.5 if joined else 3.5) for rows, width, joined in matrices)
    stacked = sum(rows * width for rows, width, joined in matrices if joined)
    copies, making = {"float32": stacked * FLOAT}, {"float32": 0}
    for weights in ("int8", "int4"):
        blocks = sum(rows * -(-width // BLOCK) for rows, width, _ in matrices)
        copies[weights] = int(blocks * BLOCK * FORMATS[weights])
        making[weights] = int(largest * FLOAT)
    cache = 2 * config.n_layer * batch * config.n_kv_head * T * config.head_size * FLOAT
    model = parameters * FLOAT
    return Footprint(parameters, T, batch, model, copies, making, cache, _activations(config, T, batch))


def count(config: GPTConfig | LlamaConfig) -> int:
    """Count the parameters of a model; a tied head counts once.

    Example:
        >>> count(LlamaConfig("llama", 128256, n_kv_head=8, n_hidden=14336))
        8030261248
    """
    if isinstance(config, LlamaConfig):
        return sum(math.prod(shape) for entry in llama_names(config) for shape in entry.shapes)
    return count_params(config)


def _matrices(config: GPTConfig | LlamaConfig) -> list[tuple[int, int, bool]]:
    """List rows, width and whether it is joined of two, of every matrix a Decoder has."""
    C, F, H, K, D = config.n_embd, config.n_hidden, config.n_head, config.n_kv_head, config.head_size
    gated = _gated(config)
    layer = [((H + 2 * K) * D, C, False), (C, H * D, False), ((2 if gated else 1) * F, C, gated), (C, F, False)]
    return [*layer * config.n_layer, (config.vocab_size, C, False)]


def _activations(config: GPTConfig | LlamaConfig, T: int, B: int) -> int:
    """Return the bytes of what is alive in the second half of a layer, where most is."""
    C, F, H, K, D = config.n_embd, config.n_hidden, config.n_head, config.n_kv_head, config.head_size
    turned = isinstance(config, LlamaConfig) or config.position == "rope"
    a_token = 3 * C + (H + 2 * K) * D + H * D + (5 if _gated(config) else 2) * F  # x twice, and normed; q, k, v; ...
    a_token += (H + K) * D if turned else 0
    scores = 0
    if kernels.backend() == "numpy":  # which holds all scores of a text at once, and more on the way
        a_token, scores = a_token + 2 * F, 3 * H * T * T
    return FLOAT * (B * T * a_token + scores + B * config.vocab_size)


def _gated(config: GPTConfig | LlamaConfig) -> bool:
    return isinstance(config, LlamaConfig) or config.mlp == "swiglu"
