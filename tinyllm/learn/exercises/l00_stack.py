"""Lesson 00: ten minutes to the whole stack, and one small function of it."""

from __future__ import annotations

import math

from ..checks import holds, no_mutation, vectors
from ..exercise import Exercise, Lesson, Mutant


def _price(f, draw):
    """A model that knows nothing pays 8 bits for each byte, whatever its tokens are."""
    length = 1 + draw.size()
    nats = length * math.log(256)
    if abs(f(nats, float(length)) - 8) > 1e-9:
        return f"a token of {length} bytes that costs ln(256) nats a byte is not priced at 8 bits a byte"


LESSON = Lesson(
    "00",
    "stack",
    "Ten minutes to the whole stack",
    "What happens between a text and its next word?",
    10,
    "a GPT learns, writes and is measured by your function",
    (
        Exercise(
            "00.1",
            slot="tinyllm.train.bits:bits_per_byte",
            minutes=5,
            checks=[
                vectors(
                    [
                        ((math.log(2), 1.0), 1.0),
                        ((math.log(256), 1.0), 8.0),
                        ((math.log(256), 4.0), 2.0),
                        ((3 * math.log(2), 4.0), 0.75),
                        ((0.0, 3.5), 0.0),
                    ]
                ),
                holds("knowing nothing costs 8 bits", _price),
                no_mutation(),
            ],
            mutants=[
                Mutant(
                    "loss / math.log(2) / bytes_per_token",
                    "loss / bytes_per_token",
                    "These are nats per byte: divide by ln 2 to turn nats into bits.",
                ),
                Mutant(
                    "loss / math.log(2) /",
                    "loss * math.log(2) /",
                    "A bit is smaller than a nat (ln 2 of one), so there are more bits than nats: divide by ln 2.",
                ),
                Mutant(
                    "math.log(2) / bytes_per_token",
                    "math.log(2)",
                    "These are bits per token: a token stands for several bytes that share its price.",
                ),
                Mutant(
                    "math.log(2) / bytes_per_token",
                    "math.log(2) * bytes_per_token",
                    "The longer a token is, the less each of its bytes costs: divide by bytes_per_token.",
                ),
                Mutant(
                    "loss / math.log(2) / bytes_per_token",
                    "loss / math.log(2) / 8",
                    "A byte has 8 bits, but this counts what the model pays for one; divide by bytes_per_token.",
                ),
                Mutant(
                    "math.log(2)",
                    "math.log10(2)",
                    "The loss is in nats, made with the natural logarithm: so the logarithm of 2 is natural too.",
                ),
            ],
            hints=(
                "The loss is nats per token. What has to change: its unit, or what it is shared out over, or both?",
                "One bit is ln 2 nats, so a number of nats holds more than that number of bits. A token's bits are "
                "then shared by its bytes.",
                "return loss / ___ / ___",
            ),
            explain="A loss per token cannot be compared between two tokenizers: longer tokens are harder to guess, "
            "and there are fewer of them. Bits per byte is the size of the text after compression with the model, so "
            "it can: every model in this course is measured by the number you wrote.",
        ),
    ),
    seconds=10,
)
