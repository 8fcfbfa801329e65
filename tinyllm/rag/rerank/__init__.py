"""A second look at what was found: slower than a search, at few chunks, and not sure to help.

    ltr = LinearLTR()                                    # weights for features, learned in a second
    maxsim = MaxSim(minilm_tokens(MiniLM(folder)))       # token against token
    cross = CrossEncoder()                               # a small transformer, trained from nothing
    theirs = InstalledCrossEncoder(model)                # whatever scores pairs of texts

All of them are Rerankers: ``score(query, chunks)`` gives float32 (N,), higher is better, in the order of the chunks.
"""

from __future__ import annotations

from .cross import CrossEncoder
from .features import Features
from .installed import InstalledCrossEncoder
from .linear import LinearLTR
from .listnet import listnet
from .maxsim import MaxSim, minilm_tokens

__all__ = ["CrossEncoder", "Features", "InstalledCrossEncoder", "LinearLTR", "MaxSim", "listnet", "minilm_tokens"]
