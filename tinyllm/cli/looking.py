"""What ``tinyllm explore`` looks up inside of a model: what each layer would say, and which tokens are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..viz import LensWords, TokenMap

WORDS = 5  # of each layer
POINTS = 240  # tokens that can be told apart on the map
NEAR = 8
STEPS = 400  # of t-SNE: enough for so few points


def lens_of(model: Any, tokenizer: Any, ids: np.ndarray[Any, Any]) -> LensWords:
    """Return what each layer would say after each of some tokens (T,)."""
    from ..interpret import logit_lens
    from ..viz import LensWords

    lens = logit_lens(model, ids, k=min(WORDS, model.config.vocab_size))

    def word(i: int) -> str:
        return str(tokenizer.decode([i])) if i < tokenizer.n_vocab else ""

    words = [[[word(int(i)) for i in best] for best in row] for row in lens.ids]
    return LensWords([word(int(i)) for i in ids], words, lens.probabilities)


def map_of(model: Any, tokenizer: Any, ids: np.ndarray[Any, Any]) -> TokenMap | None:
    """Return the vectors of tokens as points: those of the text, then the first of the vocabulary that can be printed.

    None where there are too few to be a map.
    """
    from ..interpret import pca, tsne
    from ..interpret.embedding import nearest_tokens
    from ..viz import TokenMap

    order = dict.fromkeys([*ids.tolist(), *range(min(tokenizer.n_vocab, model.config.vocab_size))])
    named: dict[str, int] = {}
    for i in order:
        text = tokenizer.decode([i])
        if text.strip() and text.isprintable() and "�" not in text:
            named.setdefault(text, i)
        if len(named) == POINTS:
            break
    if len(named) <= NEAR:
        return None
    vectors = model.wte.weight.data[list(named.values())].astype(np.float64)  # (N, C)
    near, likeness = zip(*(nearest_tokens(vectors, i, NEAR) for i in range(len(named))), strict=True)
    perplexity = min(15.0, (len(named) - 1) / 3)
    layouts = {"t-SNE": tsne(vectors, perplexity, steps=STEPS).points, "PCA": pca(vectors, 2).points}
    return TokenMap(list(named), layouts, np.stack(near), np.stack(likeness))
