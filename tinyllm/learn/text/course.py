"""The course as a whole: its 24 lessons in their parts, and the paths through them.

A lesson exists when there is a record of it (exercises/); the others are listed, so that one sees where it all leads.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...errors import LearnError, nearest


@dataclass(frozen=True)
class Entry:
    """A lesson in the list.

    Attributes:
        number: two digits.
        title: what it is called.
        minutes: for all of it.
        question: the one that it answers.
        ends: what the learner's own code does at its end.
        express: is it on the shortest path?
    """

    number: str
    title: str
    minutes: int
    question: str
    ends: str
    express: bool = False


PARTS: tuple[tuple[str, str, str], ...] = (
    ("The whole stack", "00", "00"),
    ("Machines that learn", "01", "06"),
    ("Text", "07", "09"),
    ("A GPT", "10", "15"),
    ("Fast", "16", "17"),
    ("Using language models", "18", "23"),
)

COURSE: tuple[Entry, ...] = (
    Entry("00", "Ten minutes to the whole stack", 10, "What are the stages between a text and the next one?",
          "the first box of the stack is yours", True),
    Entry("01", "Slopes you can trust", 40, "How do you know that a gradient is right?",
          "your gradient check judges the library's operations", True),
    Entry("02", "Backprop on scalars", 60, "How does one number know what it did to the loss?",
          "your functions drive the engine"),
    Entry("03", "Tensors and the broadcasting bill", 75, "What does an array that was copied along an axis owe?",
          "the library's tests of the engine run on your rules", True),
    Entry("04", "Predict the next byte", 50, "What does a prediction cost when it is wrong?",
          "a model trained with your loss writes", True),
    Entry("05", "Signals that neither die nor explode", 60, "Why do deep networks train at all?",
          "30 layers train"),
    Entry("06", "The loop, and how to debug it", 60, "What goes wrong in training, and how does one see it?",
          "all training runs on your optimizer"),
    Entry("07", "Bytes to tokens", 50, "What is the alphabet of a language model?",
          "the model of lesson 04 on your tokens"),
    Entry("08", "The same ids as GPT", 60, "Why does every model cut text in its own way?",
          "your tokenizer counts what a prompt costs"),
    Entry("09", "Pictures of meaning", 60, "What does a map of 384 dimensions keep, and what does it make up?",
          "your model's embeddings while it learns"),
    Entry("10", "Attention", 75, "How can each position choose what to read?",
          "your attention reverses sequences, as no bigram can", True),
    Entry("11", "GPT in 100 lines", 60, "How do the pieces become a GPT?",
          "a GPT of your own trains", True),
    Entry("12", "Train it on a laptop", 45, "How good can three minutes get?",
          "your GPT writes", True),
    Entry("13", "What actually matters", 45, "Which pieces could one leave out?",
          "a verdict on your heads, with intervals"),
    Entry("14", "Temperature and other choices", 40, "Where does the surprise come from?",
          "a dial on your GPT", True),
    Entry("15", "The KV cache, and why attention is O(n^2)", 50, "Why does the first word take longest?",
          "the same text, token for token, faster"),
    Entry("16", "Your own kernels", 90, "Where do the processor's cycles go?",
          "your kernel trains the GPT"),
    Entry("17", "Fast in the right order", 60, "What should one make faster first?",
          "a profile of your own stack"),
    Entry("18", "The API you were using", 60, "What do client libraries do for you?",
          "your GPT as a provider"),
    Entry("19", "JSON that is not finished yet", 50, "What can be read of a document that still arrives?",
          "tool calls appear while they stream"),
    Entry("20", "Context windows", 40, "What stays when not all fits?",
          "your chat survives a long book"),
    Entry("21", "RAG, measured at each step", 90, "Which step of retrieval helps, and by how much?",
          "your GPT answers with citations"),
    Entry("22", "Prompts as programs", 60, "Can a search write a better prompt than you?",
          "an optimizer for any provider"),
    Entry("23", "Your 500-line LLM", 30, "What have you built?",
          "one file that is yours, from NumPy up"),
)  # fmt: skip

PATHS: dict[str, tuple[str, tuple[str, ...]]] = {
    "build": ("from nothing to a language model, in order", tuple(entry.number for entry in COURSE)),
    "unwrap": (
        "from the API down to the matrix product, layer by layer",
        ("18", "08", "14", "15", "12", "11", "10", "05", "04", "03", "16"),
    ),
    "express": ("the shortest way to a GPT of your own", tuple(entry.number for entry in COURSE if entry.express)),
    "rag": ("retrieval only", ("00", "08", "18", "19", "20", "21", "22")),
}


def entry(number: str) -> Entry:
    """Return the lesson of that number in the list, whether it exists yet or not.

    Raises:
        LearnError: the course has none.

    Example:
        >>> entry("10").title
        'Attention'
    """
    for found in COURSE:
        if found.number == number.zfill(2):
            return found
    raise LearnError(f"the course has no lesson {number}", hint="00 to 23")


def path(name: str) -> tuple[Entry, ...]:
    """Return the lessons of a path, in order.

    Raises:
        LearnError: there is no such path.

    Example:
        >>> [found.number for found in path("rag")]
        ['00', '08', '18', '19', '20', '21', '22']
    """
    if name not in PATHS:
        close = nearest(name, PATHS)
        raise LearnError(f"there is no path {name!r}", hint=close or "one of " + ", ".join(PATHS))
    return tuple(entry(number) for number in PATHS[name][1])


def neighbors(number: str, there: Collection[str]) -> tuple[Entry | None, Entry | None]:
    """Return the lessons before and after one, among those that are there.

    Example:
        >>> before, after = neighbors("03", {"00", "01", "03", "10"})
        >>> before.number, after.number
        ('01', '10')
    """
    before = [found for found in COURSE if found.number in there and found.number < number]
    after = [found for found in COURSE if found.number in there and found.number > number]
    return (before[-1] if before else None), (after[0] if after else None)
