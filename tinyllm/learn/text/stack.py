"""Which stage of the stack is built in which lesson, and which are the learner's own: the data of the stack map."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...viz.stack import StackMap, Stage
from ..exercises import lessons

# from what a user sees down to what a processor does: (layer, (name, what it does, lesson))
LAYERS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    ("use", (("API", "streams, retries", "18"), ("partial JSON", "read while it comes", "19"),
             ("context", "what still fits", "20"), ("retrieval", "find, then answer", "21"),
             ("prompts", "search for better", "22"))),
    ("write", (("sampling", "choose the next token", "14"), ("KV cache", "nothing twice", "15"),
               ("latency", "fast in order", "17"))),
    ("text", (("bytes to tokens", "learn an alphabet", "07"), ("GPT's tokens", "the same ids", "08"),
              ("embeddings", "a place for each", "09"))),
    ("model", (("attention", "who reads whom", "10"), ("GPT", "blocks on a stream", "11"),
               ("norms, init", "signals that last", "05"))),
    ("train", (("bits per byte", "one fair measure", "00"), ("loss", "the price of a guess", "04"),
               ("optimizer", "a step downhill", "06"), ("training", "the whole loop", "12"),
               ("ablation", "what matters", "13"))),
    ("gradients", (("slopes", "are they right?", "01"), ("backprop", "the chain rule", "02"),
                   ("tensors", "undo broadcasting", "03"))),
    ("machine", (("kernels", "products and softmax, near the processor", "16"),)),
)  # fmt: skip


def stack_map(
    passed: Collection[str] = (),
    calls: Mapping[str, int] | None = None,
    links: bool = False,
    title: str = "The stack, from a prompt down to the processor",
    subtitle: str = "",
) -> StackMap:
    """Return the map of the stack.

    Args:
        passed: ids of the exercises that are the learner's own now.
        calls: exercise id -> how often the learner's function ran (a receipt's calls).
        links: does a click open the lesson's page (for a file in lessons/pages)?
        title: of the picture.
        subtitle: one line below the title; by default it counts what is yours.

    Example:
        >>> [stage.name for stage in stack_map(passed={"10.1"}).stages if stage.yours]
        ['attention']
    """
    counts = {lesson.number: len(lesson.exercises) for lesson in lessons()}
    calls = calls or {}
    layers = []
    own = 0
    for layer, stages in LAYERS:
        boxes = []
        for name, about, number in stages:
            mine = [wanted for wanted in passed if wanted.split(".")[0] == number]
            ran = sum(count for wanted, count in calls.items() if wanted.split(".")[0] == number)
            link = f"{number}.md" if links and number in counts else ""
            boxes.append(Stage(name, about, number, len(mine), counts.get(number, len(mine)), ran, link))
            own += bool(mine)
        layers.append((layer, boxes))
    total = sum(len(stages) for _, stages in LAYERS)
    return StackMap(layers, title, subtitle or f"{own} of {total} stages have code of yours; the library does the rest")
