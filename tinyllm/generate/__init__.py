"""Text out of a model: decoding with a memory, and sampling, one token after another."""

from __future__ import annotations

from .beam import Beam, Branching, beam_search
from .cache import KVCache
from .choices import entropy, logit_bias, min_p, repetition_penalty, top_p, typical
from .continuous import Batch
from .decode import Decoder, decodable
from .likelihood import Likelihood, likelihood, perplexity, token_log_probabilities
from .sample import apply_temperature, generate, next_token, prompt_ids, sample, stream, top_k
from .setting import Sampling
from .speculate import Speculation, Trailing
from .stops import Stops, until

__all__ = [
    "Batch",
    "Beam",
    "Branching",
    "Decoder",
    "KVCache",
    "Likelihood",
    "Sampling",
    "Speculation",
    "Stops",
    "Trailing",
    "apply_temperature",
    "beam_search",
    "decodable",
    "entropy",
    "generate",
    "likelihood",
    "logit_bias",
    "min_p",
    "next_token",
    "perplexity",
    "prompt_ids",
    "repetition_penalty",
    "sample",
    "stream",
    "token_log_probabilities",
    "top_k",
    "top_p",
    "typical",
    "until",
]
