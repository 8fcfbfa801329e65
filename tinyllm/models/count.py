"""How many parameters a GPT has and how many calculations a token costs, from its config alone."""

from __future__ import annotations

from .config import GPTConfig


def count_params(config: GPTConfig) -> int:
    """Count the parameters; a tied head counts once.

    Example:
        >>> f"{count_params(GPTConfig.preset('gpt2')):,}"  # GPT-2 small
        '124,439,808'
    """
    C, L = config.n_embd, config.n_layer
    embeddings = config.vocab_size * C
    if config.position == "learned":
        embeddings += config.block_size * C
    one_norm = C if config.norm == "rms" or not config.bias else 2 * C
    biases = 0
    if config.bias:
        ups = 2 if config.mlp == "swiglu" else 1
        biases = _qkv_rows(config) + C + ups * config.n_hidden + C
    head = 0 if config.tied else config.vocab_size * C
    return embeddings + L * (_block_matrices(config) + biases + 2 * one_norm) + one_norm + head


def flops_per_token(config: GPTConfig, T: int | None = None) -> int:
    r"""Count the floating-point operations that training on one token needs: forward and backward.

        6 N + 12 L C T

    N counts the weights of all matrix products: those of the blocks and the head's, tied or not; an embedding is looked
    up, which costs nothing. A weight takes a multiplication and an addition on the way forward and twice as many on the
    way back. The second term is attention: each of L layers compares a query with T keys and mixes T values, C numbers
    each. As is usual, the half that the causal mask hides is counted, too; of a window, only the keys in it.

    Model FLOP utilization is this times tokens per second, over what the machine can do.

    Source: Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1 (6 N); Chowdhery et al. 2022,
    "PaLM", appendix B (the attention term, and utilization).

    Args:
        config: the model.
        T: length of the sequences; ``block_size`` unless told otherwise.

    Example:
        >>> flops_per_token(GPTConfig.preset("gpt2")) / 1e9
        0.8544384
    """
    T = config.block_size if T is None else T
    keys = T if config.window is None else min(T, config.window)
    matrices = config.n_layer * _block_matrices(config) + config.vocab_size * config.n_embd
    return 6 * matrices + 12 * config.n_layer * config.n_embd * keys


def _qkv_rows(config: GPTConfig) -> int:
    """Rows of the matrix that makes queries, keys and values."""
    return (config.n_head + 2 * config.n_kv_head) * config.head_size


def _block_matrices(config: GPTConfig) -> int:
    """Weights of the matrices of one block: qkv and out, and the two or three of the MLP."""
    C = config.n_embd
    return C * (_qkv_rows(config) + C + (3 if config.mlp == "swiglu" else 2) * config.n_hidden)
