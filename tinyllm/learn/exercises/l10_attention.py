"""Lesson 10, attention: who may read whom, what is read, the way back, and several heads side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import Tensor
from ...kernels import causal_mask
from ..checks import gradcheck_slot, holds, no_mutation, oracle, shapes, vectors
from ..exercise import Exercise, Lesson, Mutant

KERNELS = ("attention", "attention_backward", "attention_decode")  # their Numba versions have the mathematics inside


def mask_by_loops(T: int, S: int) -> Any:
    """Look at every pair of a query and a key, one by one."""
    visible = np.zeros((T, S), dtype=bool)
    for t in range(T):
        for s in range(S):
            visible[t, s] = s <= t + S - T
    return visible


def attend_by_loops(q: Any, k: Any, v: Any, visible: Any, scale: float) -> Any:
    """Let one query after the other look at one key after the other."""
    T, S = visible.shape
    w = np.zeros((*q.shape[:-1], S))
    for place in np.ndindex(q.shape[:-2]):
        for t in range(T):
            scores = [scale * (q[place][t] * k[place][s]).sum() if visible[t, s] else -np.inf for s in range(S)]
            amounts = np.exp(np.array(scores) - max(scores))
            w[place][t] = amounts / amounts.sum()
    return w @ v, w


def split_by_loops(x: Any, H: int) -> Any:
    """Move one number after the other."""
    B, T, C = x.shape
    D = C // H
    y = np.zeros((B, H, T, D))
    for b, h, t, d in np.ndindex(B, H, T, D):
        y[b, h, t, d] = x[b, t, h * D + d]
    return y


def merge_by_loops(x: Any) -> Any:
    """Move one number after the other."""
    B, H, T, D = x.shape
    y = np.zeros((B, T, H * D))
    for b, h, t, d in np.ndindex(B, H, T, D):
        y[b, t, h * D + d] = x[b, h, t, d]
    return y


def lengths(draw: Any) -> Any:
    """Draw how many queries and keys there are: the queries are the last ones, so there are no more of them."""
    T, S = sorted(draw.sizes("T S"))
    yield T, S
    yield S, S


def three(draw: Any) -> Any:
    """Draw queries, keys and values of two heads with a causal mask."""
    T, S, D = draw.sizes("T S D")
    T, S = min(T, S), max(T, S)
    yield draw(2, T, D), draw(2, S, D), draw(2, S, D), causal_mask(T, S), D**-0.5
    far = draw(S, D, scale=300.0)
    yield far, -far, draw(S, D), causal_mask(S, S), D**-0.5  # huge scores; what may be seen is far below zero


def three_square(draw: Any) -> Any:
    """Draw as ``three`` does; small enough for a derivative by every entry, square ones with them."""
    yield draw(2, 3), draw(2, 3), draw(2, 3), causal_mask(2, 2), 0.7
    yield draw(3, 3), draw(3, 3), draw(3, 3), causal_mask(3, 3), 3**-0.5
    yield draw(2, 3, 5), draw(2, 7, 5), draw(2, 7, 5), causal_mask(3, 7), 5**-0.5
    yield draw(2, 5, 3), draw(2, 5, 3), draw(2, 5, 3), np.ones((5, 5), dtype=bool), 0.4


def vectors_of_heads(draw: Any) -> Any:
    """Draw vectors to be cut for several heads, and how many there are."""
    B, T, D = draw.sizes("B T D")
    for H in (1, 2, 3):
        yield draw(B, T, H * D), H


def parts_of_heads(draw: Any) -> Any:
    """Draw what several heads have made."""
    B, H, T, D = draw.sizes("B H T D")
    yield draw(B, H, T, D)


def row_t_sees(f: Any, draw: Any) -> str | None:
    """Row t has S - T + t + 1 true entries: all of the past, itself, nothing of the future."""
    T, S = sorted(draw.sizes("T S"))
    seen = np.asarray(f(T, S)).sum(axis=-1)
    for t, count in enumerate(seen.tolist()):
        place = S - T + t
        if count != place + 1:
            return f"query {t} of {T} over {S} keys sees {count} of them; it stands at {place} and may see {place + 1}"
    return None


def rows_sum_to_one(f: Any, draw: Any) -> str | None:
    """The weights of a query share out one whole."""
    T, D = draw.sizes("T D")
    _, w = f(draw(T, D), draw(T, D), draw(T, D), causal_mask(T, T), D**-0.5)
    total = np.asarray(w).sum(axis=-1)
    if not np.allclose(total, 1, rtol=0, atol=1e-12):
        return f"the weights of a query sum to {total.ravel()[np.abs(total - 1).argmax()]:.4g}, not to 1"
    return None


def the_future_is_unseen(f: Any, draw: Any) -> str | None:
    """Other tokens after position i leave out[i] the same, bit for bit."""
    T, D = draw.sizes("T D")
    q, k, v = draw(T, D), draw(T, D), draw(T, D)
    i = T // 2
    before = f(q, k, v, causal_mask(T, T), D**-0.5)[0]
    later = [np.concatenate([a[: i + 1], draw(T - i - 1, D)]) for a in (q, k, v)]
    after = f(*later, causal_mask(T, T), D**-0.5)[0]
    if np.asarray(before)[: i + 1].tobytes() != np.asarray(after)[: i + 1].tobytes():
        return f"the output at position {i} changes when only tokens after it do: it reads the future"
    return None


def stays_a_tensor_split(f: Any, draw: Any) -> str | None:
    """The graph goes on through it."""
    return _stays_a_tensor(f, Tensor(draw(2, 3, 10)), 5)


def stays_a_tensor_merged(f: Any, draw: Any) -> str | None:
    """The graph goes on through it."""
    return _stays_a_tensor(f, Tensor(draw(2, 5, 3, 2)))


def _stays_a_tensor(f: Any, x: Tensor, *rest: int) -> str | None:
    y = f(x, *rest)
    if not isinstance(y, Tensor):
        return "a Tensor went in and no Tensor came out: call x.reshape and x.transpose, not NumPy's"
    return None


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
                    "The softmax runs over the queries here: each query shares itself out over the keys, the last "
                    "axis.",
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
