"""The records of one head of attention (10.1 to 10.3): who may read whom, what is read, the way back."""

from __future__ import annotations

import numpy as np

from ..checks import gradcheck_slot, holds, no_mutation, oracle, shapes, vectors
from ..exercise import Exercise, Mutant
from .attention_trials import (
    attend_by_loops,
    lengths,
    mask_by_loops,
    row_t_sees,
    rows_sum_to_one,
    the_future_is_unseen,
    three,
    three_square,
)

KERNELS = ("attention", "attention_backward", "attention_decode")  # compiled, they have the mathematics inside

ONE_HEAD = (
    Exercise(
        "10.1",
        slot="tinyllm.kernels.attention:causal_mask",
        minutes=10,
        through=KERNELS,
        checks=[
            shapes(),
            vectors([((1, 1), np.array([[True]])), ((2, 2), np.array([[True, False], [True, True]]))]),
            oracle(mask_by_loops, lengths, name="every pair"),
            holds("row t sees S - T + t + 1 keys", row_t_sees),
        ],
        mutants=[
            Mutant(
                "key <= query[:, None]",
                "key < query[:, None]",
                "A position may read itself as well: key <= query. Without that the first one has nothing to read.",
            ),
            Mutant(
                "key <= query[:, None]",
                "key >= query[:, None]",
                "This shows the future and hides the past: a key is visible when it does not come after the query.",
            ),
            Mutant(
                "np.arange(T) + (S - T)",
                "np.arange(T)",
                "The T queries are the last of the S positions, so query t stands at position t + S - T.",
            ),
            Mutant(
                "key <= query[:, None]",
                "key <= query",
                "Queries need an axis of their own: query[:, None] is (T, 1), and against (S,) it gives (T, S).",
            ),
            Mutant(
                "return key <= query[:, None]",
                "return (key <= query[:, None]).T",
                "Rows are queries and columns are keys, (T, S); this one lies on its side.",
            ),
            Mutant(
                "return key <= query[:, None]",
                "return np.where(key <= query[:, None], 0.0, -np.inf)",
                "What is asked for is true where a query may look, and false elsewhere; the -inf comes in with the "
                "scores.",
            ),
        ],
        hints=(
            "Number the S positions. At which of them does query t stand, and which keys lie at or before it?",
            "A comparison of a column of positions (T, 1) with a row of positions (S,) is a table (T, S).",
            "query = np.arange(T) + ___\nkey = np.arange(S)\nreturn key ___ query[:, ___]",
        ),
        explain=(
            "The mask is what lets one pass learn from T predictions at once: position t is asked what comes at "
            "t + 1, and cannot cheat. When text is generated, the keys of the past are kept and T is 1: the one "
            "query stands at the end of S positions, which is why S - T is in it (lesson 15)."
        ),
    ),
    Exercise(
        "10.2",
        slot="tinyllm.kernels.attention:attend",
        minutes=15,
        needs=("10.1", "04.2"),
        through=KERNELS,
        checks=[
            shapes(),
            oracle(attend_by_loops, three, name="loops"),
            holds("weights of a query sum to 1", rows_sum_to_one),
            holds("the future is unseen", the_future_is_unseen),
            no_mutation(),
        ],
        mutants=[
            Mutant(
                "scale * (q @ flip(k))",
                "q @ flip(k)",
                "The scores are not scaled: a product of D terms grows like sqrt(D), and softmax would see one key "
                "only.",
            ),
            Mutant(
                "scale * (q @ flip(k))",
                "(q @ flip(k)) / scale",
                "Multiply by scale, do not divide: it is 1 / sqrt(D) already.",
            ),
            Mutant(
                "scale * (q @ flip(k))",
                "q.shape[-1] ** -0.5 * (q @ flip(k))",
                "It scales by 1 / sqrt(D) whatever it is told: scale is an argument, and the caller decides.",
            ),
            Mutant(
                "scale * (q @ flip(k))",
                "(q @ flip(k)) / np.sqrt(q.shape[-2])",
                "This scales by sqrt(T), the number of queries; a score is a sum of D terms, and scale is what it "
                "is multiplied by.",
            ),
            Mutant(
                "np.where(visible, s, -np.inf)",
                "np.where(visible, s, -1e4)",
                "-1e4 is not minus infinity: where honest scores are lower still, a hidden key would win.",
            ),
            Mutant(
                "np.where(visible, s, -np.inf)",
                "s",
                "Nothing is hidden: put -inf where a query may not look, before the softmax.",
            ),
            Mutant(
                "np.where(visible, s, -np.inf)",
                "np.where(visible, s, 0)",
                "A hidden score of 0 is still exp(0) = 1 in the softmax; only -inf becomes a weight of zero.",
            ),
            Mutant(
                "np.where(visible, s, -np.inf)",
                "np.where(visible, -np.inf, s)",
                "The mask is upside down: visible is true where a query may look.",
            ),
            Mutant(
                "reference(softmax)(np.where(visible, s, -np.inf))",
                "reference(softmax)(s) * visible",
                "Masked after the softmax: what hidden keys took is lost, and the row no longer sums to 1.",
            ),
            Mutant(
                "reference(softmax)(np.where(visible, s, -np.inf))",
                "flip(reference(softmax)(flip(np.where(visible, s, -np.inf))))",
                "The softmax runs over the queries here: each query shares itself out over the keys, the last axis.",
            ),
            Mutant(
                "q @ flip(k)",
                "k @ flip(q)",
                "q and k have changed places: a row of scores belongs to one query, so q comes first.",
            ),
            Mutant(
                "return w @ v, w",
                "return flip(w) @ v, w",
                "A row of w says what one query takes from each value: w @ v, without a transpose.",
            ),
            Mutant(
                "return w @ v, w",
                "return w @ v, s",
                "The second result is the weights after the softmax, not the scores before it.",
            ),
        ],
        hints=(
            "One query, three keys: what are its three scores, its three weights, and what does it bring home?",
            "Three lines: scores of every query with every key, a softmax over what is visible, a weighted mean.",
            "s = scale * (q @ ___)\nw = softmax(np.where(___, s, ___))\nreturn ___ @ v, w",
        ),
        explain=(
            "A dictionary lookup finds the one key that equals the query. Attention is a lookup with soft edges: "
            "every key matches to some degree, so the answer has a slope, and the slope can be learned. The scale "
            "keeps scores near 1 in size whatever D is: a sum of D independent terms is sqrt(D) times as large as "
            "one of them, and a softmax of large scores has no slope left."
        ),
    ),
    Exercise(
        "10.3",
        slot="tinyllm.kernels.attention:attend_backward",
        minutes=20,
        needs=("10.2", "04.3"),
        through=KERNELS,
        checks=[
            shapes(),
            gradcheck_slot(
                wrt="q k v", forward="tinyllm.kernels.attention:attend", samples=three_square, outputs="out w"
            ),
            no_mutation(),
        ],
        mutants=[
            Mutant(
                "ds = ds * scale",
                "ds = ds",
                "The forward pass multiplies the scores by scale; the chain rule multiplies here as well.",
            ),
            Mutant(
                "dw - (dw * w).sum(axis=-1, keepdims=True)",
                "dw",
                "Softmax couples a row: subtract the row's weighted mean of dw.",
            ),
            Mutant(
                "(dw * w).sum(axis=-1, keepdims=True)",
                "dw.mean(axis=-1, keepdims=True)",
                "The mean that is subtracted is weighted by w: keys that get nothing do not count in it.",
            ),
            Mutant(
                ".sum(axis=-1,",
                ".sum(axis=-2,",
                "The sum runs over keys (the last axis), not over queries.",
            ),
            Mutant(
                "ds = w * (dw - (dw * w)",
                "ds = (dw - (dw * w)",
                "The factor w is missing: a weight near zero hardly moves when its score does.",
            ),
            Mutant("flip(ds) @ q", "ds @ q", "dk gathers over queries: transpose ds."),
            Mutant("flip(w) @ dout", "w @ dout", "dv gathers over queries: transpose w."),
            Mutant(
                "return ds @ k, flip(ds) @ q,",
                "return flip(ds) @ q, ds @ k,",
                "dq and dk have changed places: the results are dq, dk, dv.",
            ),
            Mutant(
                "dout @ flip(v)",
                "dout @ v",
                "dw pairs every query's dout with every value: dout (T, D) times v^T (D, S).",
            ),
        ],
        hints=(
            "Which of q, k, v does row i of the output depend on, and through what?",
            "Work backward: out = w v, w = softmax(s), s = scale q k^T. Three small rules, one per line.",
            "dw = dout @ ___\nds = w * (dw - ___) * ___\nreturn ds @ ___, ___ @ q, ___ @ dout",
        ),
        explain=(
            "The row sum is there because weights sum to 1: one can only grow at the cost of the others, so what "
            "all of them would gain together is taken off. It is LayerNorm's mean in disguise. Since out = w v, it "
            "equals the product of dout and out, one number for each query: that is how flash attention gets along "
            "without keeping w, the largest array of the forward pass, and makes it again (lesson 16)."
        ),
    ),
)
