"""The second half of lesson 04: what a prediction costs, and the way back from there."""

from __future__ import annotations

from ..checks import gradcheck_slot, holds, no_mutation, oracle, shapes
from ..exercise import Exercise, Mutant
from .asked_next_byte import batch, no_idea, slow_cross_entropy, sums_to_zero

PRICES = (
    Exercise(
        "04.4",
        slot="tinyllm.kernels.cross_entropy:cross_entropy",
        minutes=10,
        needs=["04.1"],
        through=("cross_entropy_chunk",),
        checks=[
            shapes(),
            oracle(slow_cross_entropy, batch, name="a slow loop"),
            holds("no idea costs ln V", no_idea),
            no_mutation(),
        ],
        mutants=[
            Mutant(
                "np.where(kept, losses, 0), lse",
                "np.where(kept, -losses, 0), lse",
                "The sign: surprise is minus the logarithm of the probability, so it is never negative.",
            ),
            Mutant(
                "losses = lse - logits[",
                "losses = -logits[",
                "The logsumexp is missing: a high score for the target means little if all the others are as high.",
            ),
            Mutant(
                "lse = reference(logsumexp)(logits)",
                "lse = logits.real.max(axis=-1)",
                "The maximum is not the logsumexp: it forgets the chances of all the other bytes.",
            ),
            Mutant(
                "np.where(kept, losses, 0), lse",
                "losses, lse",
                "A row whose target is ignore_index does not count: its loss is 0.",
            ),
            Mutant(
                "np.where(kept, losses, 0), lse",
                "np.where(kept, losses / len(targets), 0), lse",
                "Each row's own loss is asked for here; whoever wants the mean takes it afterwards.",
            ),
            Mutant(
                "np.where(kept, losses, 0), lse",
                "np.where(kept, losses / 0.6931471805599453, 0), lse",
                "Nats are asked for, not bits: leave the natural logarithm as it is.",
            ),
        ],
        hints=(
            "The probability of the target is exp(score) / sum exp(scores). What is minus its logarithm, written "
            "with logsumexp?",
            "loss = logsumexp(row) - row[target]. No softmax is needed, and none should be made: its small entries "
            "round to zero, and log 0 is infinite.",
            "lse = ___(logits) ; losses = lse - logits[rows, ___] ; return np.where(kept, ___, 0), lse",
        ),
        explain="Minus the logarithm of a probability is what the outcome costs to write down, in nats. Its mean "
        "over a text is the cross-entropy: no model can get below the entropy of the text itself, and in this "
        "lesson you will see one reach it.",
    ),
    Exercise(
        "04.5",
        slot="tinyllm.kernels.cross_entropy:cross_entropy_backward",
        minutes=10,
        needs=["04.2", "04.4"],
        through=("cross_entropy_chunk",),
        checks=[
            shapes(),
            gradcheck_slot(
                wrt="logits",
                forward="tinyllm.kernels.cross_entropy:cross_entropy",
                samples=batch,
                outputs="losses lse",
            ),
            holds("each row sums to zero", sums_to_zero),
            no_mutation(),
        ],
        mutants=[
            Mutant(
                "dlogits[rows, targets[rows]] -= 1",
                "dlogits[rows, targets[rows]] += 0",
                "The target's own score is missing: p - 1 where the target is, p everywhere else.",
            ),
            Mutant(
                "dlogits[rows, targets[rows]] -= 1",
                "dlogits[rows, targets[rows]] += 1",
                "The sign at the target: raising its score lowers the loss, so 1 is taken off.",
            ),
            Mutant(
                "dlogits[rows, targets[rows]] -= 1",
                "dlogits[:, targets[rows]] -= 1",
                "Each row takes 1 off at its own target; this takes it off in all rows at all targets.",
            ),
            Mutant(
                "np.where(kept, dlosses, 0)[:, None] * dlogits",
                "kept[:, None] * dlogits",
                "dlosses is lost: in the forward pass each row's loss went on into something, and this is its slope.",
            ),
            Mutant(
                "np.where(kept, dlosses, 0)[:, None]",
                "dlosses[:, None]",
                "A row whose target is ignore_index had loss 0 whatever its logits were: its gradient is 0.",
            ),
            Mutant(
                "np.where(kept, dlosses, 0)[:, None] * dlogits",
                "np.where(kept, dlosses, 0)[:, None] * dlogits / len(targets)",
                "The 1/N of a mean is already in dlosses: dividing here would count it twice.",
            ),
            Mutant(
                "np.exp(logits - lse[:, None])",
                "np.exp(logits)",
                "exp of a logit is not yet a probability: take the row's lse off first.",
            ),
        ],
        hints=(
            "In the forward pass loss = lse - logits[target]. What is the slope of lse by one logit? And of the "
            "second part?",
            "The slope of logsumexp is the softmax, p = exp(logits - lse). The second part takes 1 off at the "
            "target. Then the chain rule: times dlosses.",
            "dlogits = np.exp(logits - ___) ; dlogits[rows, ___] -= ___ ; return ___[:, None] * dlogits",
        ),
        explain="p - onehot: what the model expected less what came. It is the most used gradient of all, and the "
        "reason why softmax and cross-entropy are fused: two complicated slopes cancel to a subtraction. At the "
        "optimum the expectations match the counts, so a trained table must end where counting begins.",
    ),
)
