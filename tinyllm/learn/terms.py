"""The entries of the glossary; glossary.py reads them."""

from __future__ import annotations

from .glossary import Term

TERMS: tuple[Term, ...] = (
    Term("logits", "The scores of every possible next token, before softmax turns them into probabilities.",
         "(B, T, V)", "04"),
    Term("softmax", "Turns a row of scores into probabilities: exponentials, divided by their sum.",
         "(..., V) -> (..., V)", "04"),
)  # fmt: skip
