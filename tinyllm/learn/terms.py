"""The entries of the glossary; glossary.py reads them."""

from __future__ import annotations

from .glossary import Term

TERMS: tuple[Term, ...] = (
    Term("token", "A piece of text that occurs often enough to have a number of its own.", "an id, 0 .. V-1", "00"),
    Term("vocabulary", "All the tokens that a model knows.", "V of them", "00"),
    Term("nat", "The unit of surprise with the natural logarithm: 1 / ln 2 bits, about one and a half.", "-ln p", "00"),
    Term("bits per byte", "What a model pays for a byte of text, in bits: the size of the text after compression.",
         "nats per token / ln 2 / bytes per token", "00"),
    Term("gradient", "The slope of a loss by each of its numbers: where it would go if that number moved a little.",
         "the shape of x", "01"),
    Term("complex step", "A slope by a step along the imaginary axis: nothing is subtracted, so no digit is lost.",
         "Im f(x + ih u) / h", "01"),
    Term("Jacobian", "The table of all slopes of a function from many numbers to many.", "(outputs, inputs)", "01"),
    Term("cotangent", "The question a backward rule is asked: one weight for each output.", "v, the shape of y", "01"),
    Term("logits", "The scores of every possible next token, before softmax turns them into probabilities.",
         "(B, T, V)", "04"),
    Term("softmax", "Turns a row of scores into probabilities: exponentials, divided by their sum.",
         "(..., V) -> (..., V)", "04"),
    Term("cross-entropy", "The mean price of what came: minus the logarithm of the probability it was given.",
         "logits (N, V), targets (N,) -> losses (N,)", "04"),
    Term("entropy", "The price that remains when the probabilities are right: the floor of the cross-entropy.",
         "-sum p ln p", "04"),
    Term("bigram", "A model that looks at one token and predicts the next: a table of pairs.", "(V, V)", "04"),
)  # fmt: skip
