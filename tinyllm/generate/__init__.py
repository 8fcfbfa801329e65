"""Text out of a model: decoding with a memory, and sampling, one token after another."""

from __future__ import annotations

from .beam import Beam, Branching, beam_search
from .cache import KVCache
from .choices import entropy, logit_bias, min_p, repetition_penalty, top_p, typical
from .completion import Completion, Timing
from .constraint import Constraint
from .continuous import Batch
from .decode import Decoder, decodable
from .likelihood import Likelihood, likelihood, perplexity, token_log_probabilities
from .prompts import end_ids, prompt_ids
from .reading import Session
from .sample import apply_temperature, next_token, sample, top_k
from .search import Found, search
from .setting import Sampling
from .speculate import Speculation, Trailing
from .stops import Stops, until
from .streaming import Stream, generate, stream

__all__ = [
    "Batch",
    "Beam",
    "Branching",
    "Completion",
    "Constraint",
    "Decoder",
    "Found",
    "KVCache",
    "Likelihood",
    "Sampling",
    "Session",
    "Speculation",
    "Stops",
    "Stream",
    "Timing",
    "Trailing",
    "apply_temperature",
    "beam_search",
    "decodable",
    "end_ids",
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
    "search",
    "stream",
    "token_log_probabilities",
    "top_k",
    "top_p",
    "typical",
    "until",
]
