"""Choices between logits and a token beside transformers' logits processors, alone and one after another."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.generate import choices
from tinyllm.generate.setting import Sampling

torch = pytest.importorskip("torch", reason="the oracle tests need torch: pip install -e '.[oracle]'")
theirs = pytest.importorskip(
    "transformers.generation.logits_process", reason="transformers is not installed: pip install -e '.[oracle]'"
)

pytestmark = pytest.mark.oracle

CASES = 300


def rows():
    """Rows of logits from flat to sharp, some with tokens that were ruled out before, with a text for each."""
    rng = np.random.default_rng(20)
    for _ in range(CASES):
        V = int(rng.integers(2, 67))
        logits = rng.normal(rng.normal(), rng.choice([0.1, 1.0, 3.0, 10.0]), V)
        if rng.random() < 0.3:
            logits[rng.permutation(V)[: int(rng.integers(0, V))]] = -np.inf
        yield logits, rng.integers(0, V, rng.integers(1, 9)), float(rng.uniform(0.02, 0.98))


def said(processors, logits, ids):
    scores, text = torch.tensor(logits)[None], torch.tensor(ids)[None]
    for processor in processors:
        scores = processor(text, scores)
    return scores[0].numpy()


@pytest.mark.parametrize(
    ("ours", "name"),
    [
        (choices.top_p, "TopPLogitsWarper"),
        (choices.min_p, "MinPLogitsWarper"),
        (choices.typical, "TypicalLogitsWarper"),
    ],
)
def test_cuts(ours, name):
    cuts = 0
    for logits, ids, share in rows():
        cut = ours(logits, share)
        np.testing.assert_array_equal(cut, said([getattr(theirs, name)(share)], logits, ids))
        cuts += int((cut != logits).any())
    assert cuts > CASES / 3  # the rows do ask something


@pytest.mark.parametrize("penalty", [0.5, 1.2, 3.0])
def test_repetition_penalty(penalty):
    for logits, ids, _ in rows():
        reference = said([theirs.RepetitionPenaltyLogitsProcessor(penalty)], logits, ids)
        np.testing.assert_array_equal(choices.repetition_penalty(logits, ids.tolist(), penalty), reference)


def test_logit_bias():
    for logits, ids, share in rows():
        bias = {token: share * (n + 1) - 2 for n, token in enumerate(sorted(set(ids.tolist())))}
        reference = said([theirs.SequenceBiasLogitsProcessor([[[i], b] for i, b in bias.items()])], logits, ids)
        np.testing.assert_allclose(choices.logit_bias(logits, bias.items()), reference, atol=1e-6)  # float32 there


def test_the_whole_setting_in_one():
    rng = np.random.default_rng(21)
    for logits, ids, share in rows():
        t, r, m, s = rng.uniform(0.3, 3), rng.uniform(0.7, 2), rng.uniform(0, 0.2), rng.uniform(0.5, 0.99)
        k, bias = int(rng.integers(1, len(logits) + 1)), {int(ids[0]): 1.5}
        logits = np.where(np.isinf(logits), -50.0, logits)  # theirs ranks what is ruled out among the equals of top_k
        reference = said(
            [
                theirs.SequenceBiasLogitsProcessor([[[i], b] for i, b in bias.items()]),
                theirs.RepetitionPenaltyLogitsProcessor(float(r)),
                theirs.TemperatureLogitsWarper(float(t)),
                theirs.TopKLogitsWarper(k),
                theirs.TopPLogitsWarper(share),
                theirs.MinPLogitsWarper(float(m)),
                theirs.TypicalLogitsWarper(float(s)),
            ],
            logits,
            ids,
        )
        setting = Sampling(
            temperature=t, top_k=k, top_p=share, min_p=m, typical_p=s, repetition_penalty=r, logit_bias=bias
        )
        ours = setting.probabilities(logits, ids.tolist())
        np.testing.assert_allclose(ours, torch.tensor(reference).softmax(-1).numpy(), atol=1e-12)
