"""Answers from what was found: packed into a prompt, guarded against what documents say, and every citation checked.

from tinyllm.rag.answer import answer

found = answer("who swims?", rag)      # rag: anything with search(query, k) -> hits
found.text, found.citations, found.abstained
"""

from __future__ import annotations

from .answer import answer
from .calibrate import Threshold, calibrate
from .cite import PROVES, Claim, parse, verify
from .extract import extract, rank_sentences
from .guard import Fence, clean, for_html, for_terminal
from .pack import Packed, Rules, pack

__all__ = [
    "PROVES",
    "Claim",
    "Fence",
    "Packed",
    "Rules",
    "Threshold",
    "answer",
    "calibrate",
    "clean",
    "extract",
    "for_html",
    "for_terminal",
    "pack",
    "parse",
    "rank_sentences",
    "verify",
]
