"""The entries of the glossary; glossary.py reads them."""

from __future__ import annotations

from .glossary import Term

TERMS: tuple[Term, ...] = (
    # lesson 00
    Term("token", "A piece of text that a model treats as one symbol: a byte, a few letters, a word.", "", "00"),
    Term("vocabulary", "All tokens that a model knows, each with a number of its own, its id.", "(V,)", "00"),
    Term(
        "nat",
        "The unit of surprise with the natural logarithm: an event of probability 1/e costs one nat, which is "
        "1/ln 2 bits.",
        "",
        "00",
    ),
    Term(
        "bits per byte",
        "The surprise of a text in bits, divided by its length in bytes: a measure that models with different "
        "tokens share.",
        "",
        "00",
    ),
    # lesson 01
    Term(
        "gradient",
        "The slopes of one number (a loss) along every entry of an array; it has the shape of the array.",
        "of x: that of x",
        "01",
    ),
    Term(
        "cotangent",
        "The gradient of the loss with regard to a value on the way; `dy` belongs to `y` and has its shape. "
        "A backward rule turns the cotangent of an output into those of the inputs.",
        "of y: that of y",
        "01",
    ),
    Term(
        "Jacobian",
        "The table of all slopes of a function: how each entry of the output moves with each entry of the input. "
        "A backward rule multiplies by it from the left without ever writing it down.",
        "(outputs, inputs)",
        "01",
    ),
    Term(
        "complex step",
        "A derivative without a difference: move the input by a tiny imaginary amount and read the slope off the "
        "imaginary part, exact to rounding.",
        "",
        "01",
    ),
    # lesson 03
    Term(
        "backward pass",
        "The walk from the loss back to the inputs, in which every operation turns the cotangent of its output "
        "into those of its inputs.",
        "",
        "03",
    ),
    Term(
        "broadcasting",
        "Using an array along an axis where it has size 1, or no axis at all, as if it were repeated there; on the "
        "way back the copies' cotangents add up.",
        "(T, 1) beside (1, D) -> (T, D)",
        "03",
    ),
    # lesson 04
    Term(
        "bigram",
        "Two symbols in a row; a bigram model predicts the next symbol from the last one alone.",
        "table (V, V)",
        "04",
    ),
    Term(
        "logits",
        "Scores, one for each possible next token; any numbers will do, since softmax makes probabilities of them.",
        "(B, T, V)",
        "04",
    ),
    Term(
        "softmax",
        "What turns a row of scores into probabilities: exponentials, divided by their sum.",
        "(..., V) -> (..., V)",
        "04",
    ),
    Term(
        "cross-entropy",
        "What a model pays for a text on average: minus the logarithm of the probability that it gave to what came.",
        "(N, V) and (N,) -> ()",
        "04",
    ),
    Term(
        "entropy",
        "The lowest price that any prediction can reach on average, when the true probabilities are known.",
        "(V,) -> ()",
        "04",
    ),
    # lesson 10
    Term(
        "attention",
        "A weighted mean of values, with weights that each position chooses by comparing its query with the keys.",
        "(B, H, T, D)",
        "10",
    ),
    Term("query", "What a position looks for, as a vector.", "(B, H, T, D)", "10"),
    Term("key", "What a position offers to be found by, as a vector.", "(B, H, S, D)", "10"),
    Term("value", "What a position hands over when it is read, as a vector.", "(B, H, S, D)", "10"),
    Term(
        "causal mask",
        "Who may read whom: a position sees itself and what came before, never what is still to come.",
        "(T, S)",
        "10",
    ),
    Term(
        "head",
        "One of several attentions side by side, each with its own share of the channels.",
        "C = H D",
        "10",
    ),
)
