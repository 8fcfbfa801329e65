"""Embedders: texts in, vectors out, such that the cosine of two vectors says how much their texts have in common.

    LSA             which words occur together in your own texts; nothing to download
    MiniLMEmbedder  all-MiniLM-L6-v2, a published model, run by our own encoder
    Remote          any service, handed in as a function
    embedder        chooses among them, and says why

All of them keep one contract. A vector is float32 of length 1, or all zeros where nothing is known of a text, and it
does not depend on the texts around it. No texts give an array (0, dim). What changes a vector changes ``id``.
"""

from __future__ import annotations

from .lsa import LSA

__all__ = ["LSA"]
