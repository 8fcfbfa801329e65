"""Together: several prompts continued side by side (continuous.py), each as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .completion import Clock, Completion
from .continuous import Batch
from .decode import Decoder
from .order import Order

PLACES = 16  # texts at once: more of them read the weights no more often, and each takes a cache


def together(order: Order, prompts: Sequence[Any]) -> list[Completion]:
    """Return the completions of several prompts, in their order.

    Every clock starts at once: a text that had to wait for its place says so in its ``first_token_seconds``. The memory
    of each is that of all together, which share the weights.

    Args:
        order: of a model that a Decoder can read, and without a draft.
        prompts: one or more.

    Example:
        >>> import numpy as np
        >>> from tinyllm.models import GPT, GPTConfig
        >>> config = GPTConfig.preset("gpt2", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8)
        >>> order = Order(model=GPT(config, np.random.default_rng(0)), max_tokens=3, seed=1)
        >>> [len(done.ids) for done in together(order, [[1, 2, 3], [4]])]
        [3, 3]
    """
    writers = [order.writer(prompt, place) for place, prompt in enumerate(prompts)]
    clocks = [Clock() for _ in writers]
    for clock in clocks:
        clock.start()
    longest = max(len(writer.prompt) for writer in writers) + order.max_tokens - 1
    decoder = Decoder(
        order.model,
        order.weights,
        batch=min(len(writers), PLACES),
        max_length=max(1, min(longest, order.model.config.block_size)),
    )
    batch, numbers = Batch(decoder), {}
    for number, writer in enumerate(writers):
        if writer.finish is None:
            numbers[batch.add(writer.prompt, writer.choose, order.max_tokens)] = number
    while numbers:
        for ticket, token in batch.step():
            number = numbers[ticket]
            clocks[number].tick()
            writers[number].add(token)
            if writers[number].finish is not None:
                clocks[number].stop()
                batch.cancel(ticket)
                del numbers[ticket]
    return [order.complete(writer, clock, decoder.nbytes) for writer, clock in zip(writers, clocks, strict=True)]
