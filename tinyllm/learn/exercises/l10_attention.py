"""Lesson 10, attention: who may read whom, what is read, the way back, and several heads side by side."""

from __future__ import annotations

from ..checks import holds, no_mutation, oracle, shapes
from ..exercise import Exercise, Lesson, Mutant
from .attention_one_head import ONE_HEAD
from .attention_trials import (
    merge_by_loops,
    parts_of_heads,
    split_by_loops,
    stays_a_tensor_merged,
    stays_a_tensor_split,
    vectors_of_heads,
)

LESSON = Lesson(
    number="10",
    name="attention",
    title="Attention",
    question="How can a position choose what to read?",
    minutes=75,
    needs=("03", "04"),
    payoff="a model reverses words it has never seen, on your attention",
    seconds=10,
    exercises=(
        *ONE_HEAD,
        Exercise(
            "10.4",
            slot="tinyllm.nn.attention:split_heads",
            minutes=10,
            checks=[
                shapes(),
                oracle(split_by_loops, vectors_of_heads, name="number by number"),
                holds("a Tensor stays one", stays_a_tensor_split, rounds=1),
                no_mutation(),
            ],
            mutants=[
                Mutant(
                    "x.reshape(B, T, H, C // H).transpose(0, 2, 1, 3)",
                    "x.reshape(B, H, T, C // H)",
                    "The shape is right and the numbers are not: reshape reads on from one position into the next. Cut "
                    "C into (H, D) first, then turn the axes.",
                ),
                Mutant(
                    ".transpose(0, 2, 1, 3)",
                    "",
                    "Heads go before time, (B, H, T, D), so that each head's (T, D) is a matrix: turn axes 1 and 2.",
                ),
                Mutant(
                    "x.reshape(B, T, H, C // H).transpose(0, 2, 1, 3)",
                    "x.reshape(B, T, C // H, H).transpose(0, 3, 1, 2)",
                    "A head takes D neighbors out of C, not every H-th number: reshape to (B, T, H, D).",
                ),
                Mutant(
                    ".transpose(0, 2, 1, 3)",
                    ".transpose(0, 2, 3, 1)",
                    "The last two axes are T and D, in this order: each row of a head is one position.",
                ),
                Mutant(
                    "return x.reshape(B, T, H, C // H)",
                    "return np.asarray(x).reshape(B, T, H, C // H)",
                    "This takes the array out of the Tensor, and the gradient's way back ends here: use x.reshape.",
                ),
            ],
            hints=(
                "The C numbers of a position are H parts of D. Which axis is cut, and where does the new one go?",
                "Two moves: cut the last axis in two, then let heads and time change places.",
                "B, T, C = x.shape\nreturn x.reshape(B, T, ___, ___).transpose(0, ___, ___, 3)",
            ),
            explain=(
                "H heads of D = C / H cost what one head of C costs, and read H places at once: one softmax has one "
                "peak. Since every matrix product of the house takes stacks, heads are an axis and not a loop."
            ),
        ),
        Exercise(
            "10.5",
            slot="tinyllm.nn.attention:merge_heads",
            minutes=5,
            needs=("10.4",),
            checks=[
                shapes(),
                oracle(merge_by_loops, parts_of_heads, name="number by number"),
                holds("a Tensor stays one", stays_a_tensor_merged, rounds=1),
                no_mutation(),
            ],
            mutants=[
                Mutant(
                    "x.transpose(0, 2, 1, 3).reshape(B, T, H * D)",
                    "x.reshape(B, T, H * D)",
                    "Without turning the axes back, reshape lays positions of one head end to end: transpose first.",
                ),
                Mutant(
                    ".transpose(0, 2, 1, 3)",
                    ".transpose(0, 2, 3, 1)",
                    "The heads' parts lie side by side, not number by number in turn: (B, T, H, D) before the reshape.",
                ),
                Mutant(
                    ".reshape(B, T, H * D)",
                    ".reshape(B * T, H * D)",
                    "The batch keeps an axis of its own: (B, T, H D).",
                ),
                Mutant(
                    "x.transpose(0, 2, 1, 3).reshape(B, T, H * D)",
                    "x.sum(1)",
                    "The heads are laid side by side, not added up: the output layer weighs each of them by itself.",
                ),
                Mutant(
                    ".transpose(0, 2, 1, 3)",
                    ".transpose(2, 0, 1, 3)",
                    "Axis 0 is the batch and stays in front; only heads and time change places.",
                ),
            ],
            hints=(
                "split_heads made two moves. In which order are they undone?",
                "First heads and time change places, then the last two axes become one.",
                "B, H, T, D = x.shape\nreturn x.transpose(___).reshape(B, ___, ___)",
            ),
            explain=(
                "The two are inverses, and both only move numbers: their gradient is the other one. After the merge a "
                "matrix of C times C lets what the heads have found flow together."
            ),
        ),
    ),
)
