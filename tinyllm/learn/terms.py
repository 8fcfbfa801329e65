"""The entries of the glossary; glossary.py reads them."""

from __future__ import annotations

from .glossary import Term

TERMS: tuple[Term, ...] = (
    Term("logits", "The scores of every possible next token, before softmax turns them into probabilities.",
         "(B, T, V)", "04"),
    Term("softmax", "Turns a row of scores into probabilities: exponentials, divided by their sum.",
         "(..., V) -> (..., V)", "04"),
    Term("broadcasting", "An array is used as if it were larger: new axes in front, axes of size 1 repeated.",
         "(4,) with (3, 4) -> (3, 4)", "03"),
    Term("backward pass", "The way from the loss back to every number it was made of, one op after the other.",
         "dy -> dx, the shape of x", "03"),
    Term("attention", "Each position takes a weighted mean of what others offer, with weights it works out itself.",
         "q (T, D), k (S, D), v (S, D) -> (T, D)", "10"),
    Term("query", "The vector with which a position asks: what am I looking for?", "(T, D)", "10"),
    Term("key", "The vector by which a position is found: how well does it match a query?", "(S, D)", "10"),
    Term("value", "The vector that a position gives to those who look at it.", "(S, D)", "10"),
    Term("causal mask", "Which keys each query may see: those up to its own position, never the future.",
         "(T, S) of bool", "10"),
    Term("head", "A part of every vector in which attention is done on its own, so that several places can be read.",
         "(B, T, H D) -> (B, H, T, D)", "10"),
)  # fmt: skip
