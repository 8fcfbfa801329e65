"""Lesson 03, tensors: what goes into many places collects from all of them, for sums, maxima, products and indexing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import gradcheck_slot, holds, no_mutation, oracle, shapes, vectors
from ..exercise import Exercise, Lesson, Mutant


def collect_by_loops(dy: Any, shape: tuple[int, ...]) -> Any:
    """Ask every entry of dy where it came from, and add it there."""
    dx = np.zeros(shape)
    source = np.broadcast_to(np.arange(dx.size).reshape(shape), dy.shape)
    for place in np.ndindex(dy.shape):
        dx.flat[source[place]] += dy[place]
    return dx


def broadcasts(draw: Any) -> Any:
    """Draw gradients of what was broadcast: along axes put in front, along axes of size 1, along both and neither."""
    M, N = draw.sizes("M N")
    yield draw(M, N), (N,)
    yield draw(M, N), (M, 1)
    yield draw(M, N), (1, N)
    yield draw(M, N), (1, 1)
    yield draw(M, N), ()
    yield draw(M, N), (M, N)
    yield draw(2, M, N), (M, 1)
    yield draw(2, M, N), (2, 1, N)
    yield draw(3, 2, M, N), (1, M, 1)
    yield draw(M), ()


def it_is_the_transpose(f: Any, draw: Any) -> str | None:
    """<dy, broadcast(x)> = <unbroadcast(dy), x> for every x."""
    M, N = draw.sizes("M N")
    for shape in ((N,), (M, 1), (1, N)):
        x, dy = draw(*shape), draw(M, N)
        spread = (dy * np.broadcast_to(x, dy.shape)).sum()
        back = (np.asarray(f(dy, shape)) * x).sum()
        if not abs(spread - back) <= 1e-9 * max(1.0, abs(spread)):
            return f"moving x {shape} moves the loss by {spread:.4g}, and this gradient says {back:.4g}"
    return None


LESSON = Lesson(
    number="03",
    name="tensors",
    title="Tensors and the broadcasting bill",
    question="When one number is used in many places, what does it owe, and to whom?",
    minutes=75,
    needs=("01",),
    payoff="a network learns on your five rules",
    seconds=5,
    exercises=(
        Exercise(
            "03.1",
            slot="tinyllm.autograd.unbroadcast:unbroadcast",
            minutes=15,
            checks=[
                shapes(),
                vectors([((np.ones((4, 3)), (3,)), np.array([4.0, 4.0, 4.0]))]),
                oracle(collect_by_loops, broadcasts, name="place by place"),
                holds("it is the transpose of broadcasting", it_is_the_transpose),
                no_mutation(),
            ],
            mutants=[
                Mutant(
                    "if size == 1)",
                    "if axis < added)",
                    "Axes of size 1 were repeated, too: sum over them as well as over the axes put in front.",
                ),
                Mutant(
                    "if size == 1)",
                    "if size == 1 and axis >= added)",
                    "Broadcasting put axes in front that the value never had: sum over those, too.",
                ),
                Mutant(
                    "dy.sum(axis=repeated",
                    "dy.mean(axis=repeated",
                    "Add up, do not average: an entry that is used n times moves the loss n times over.",
                ),
                Mutant(
                    "(1,) * added + shape",
                    "shape + (1,) * added",
                    "Shapes are lined up at the right: the axes that are new come in front, not behind.",
                ),
                Mutant(
                    "dy.sum(axis=repeated, keepdims=True).reshape(shape)",
                    "np.resize(dy, shape)",
                    "This keeps what one place sends back; an entry collects from all the places where it was used.",
                ),
                Mutant(
                    "keepdims=True).reshape(shape)",
                    "keepdims=True).squeeze()",
                    "The gradient has the shape of the value: an axis of size 1 that the value had stays.",
                ),
            ],
            hints=(
                "A bias of shape (3,) is added to four rows. How often is each of its entries used?",
                "Write the old shape with axes of size 1 in front until it has as many as dy. Where it says 1, sum.",
                "before = (1,) * ___ + shape\n"
                "repeated = tuple(axis for axis, size in enumerate(before) if ___)\n"
                "return dy.sum(axis=___, keepdims=True).reshape(___)",
            ),
            explain=(
                "Broadcasting copies; the way back of a copy is a sum. The engine calls this one function after every "
                "op, so none of them has to think of it: the backward of a product is `dy * b, dy * a` and nothing "
                "else. Along an axis of size 1 that stayed 1 the sum adds one number, and changes nothing."
            ),
        ),
        Exercise(
            "03.2",
            slot="tinyllm.autograd.ops.reduce:Sum.backward",
            minutes=10,
            needs=("03.1",),
            checks=[shapes(), gradcheck_slot(), no_mutation()],
            mutants=[
                Mutant(
                    "np.broadcast_to(dy.reshape(kept), shape)",
                    "np.broadcast_to(dy, shape)",
                    "dy has lost the axes that were summed away: give them back with size 1 before spreading it.",
                ),
                Mutant(
                    "dy.reshape(kept)",
                    "np.expand_dims(dy, axes)",
                    "With keepdims=True the axes are still there, and this adds them twice: reshape to the kept shape, "
                    "which is right in both cases.",
                ),
                Mutant(
                    "np.broadcast_to(dy.reshape(kept), shape)",
                    "np.broadcast_to(dy.reshape(kept), shape) / np.prod([shape[axis] for axis in axes])",
                    "This is the gradient of a mean: in a sum every entry counts in full.",
                ),
                Mutant(
                    "np.broadcast_to(dy.reshape(kept), shape)",
                    "dy.reshape(kept)",
                    "The gradient has the shape of x: repeat dy along the axes that were summed over.",
                ),
                Mutant(
                    "1 if axis in axes else size",
                    "size if axis in axes else 1",
                    "The axes that were summed over are those of size 1 now; the others keep their size.",
                ),
                Mutant(
                    "np.broadcast_to(dy.reshape(kept), shape)",
                    "np.ones(shape)",
                    "These are the slopes of the sum by itself; what comes back is dy times them.",
                ),
            ],
            hints=(
                "If y = x1 + x2 + x3 and the loss grows by dy for each unit of y, by how much does it for x2?",
                "Every entry of a sum gets the sum's own gradient. First give dy the axes back that it has lost.",
                "kept = tuple(___ if axis in axes else ___ for axis, size in enumerate(shape))\n"
                "return np.broadcast_to(dy.reshape(___), ___)",
            ),
            explain=(
                "Sum and broadcast are each other's way back: what one adds up, the other spreads out. The result is a "
                "view that repeats dy without copying it, so a sum over a million entries costs nothing going back."
            ),
        ),
        Exercise(
            "03.3",
            slot="tinyllm.autograd.ops.reduce:Max.backward",
            minutes=15,
            needs=("03.2",),
            checks=[shapes(), gradcheck_slot(), no_mutation()],
            mutants=[
                Mutant(
                    "dy / np.maximum(ties, 1)",
                    "dy",
                    "Ties are paid twice: where n entries are largest, each of them gets dy / n.",
                ),
                Mutant(
                    "np.where(largest, share, 0)",
                    "np.where(largest, 0, share)",
                    "Upside down: the largest entry gets the gradient, the others get nothing.",
                ),
                Mutant(
                    "np.where(largest, share, 0)",
                    "np.broadcast_to(share, largest.shape)",
                    "Only the largest entry moved y: all others get zero.",
                ),
                Mutant(
                    "np.where(largest, share, 0)",
                    "np.where(largest, 1 / np.maximum(ties, 1), 0)",
                    "Where is dy? The slope of the largest entry is 1, and it is multiplied by what comes back.",
                ),
                Mutant(
                    "dy = dy.reshape(ties.shape)",
                    "dy = dy",
                    "dy has lost the axes that the maximum ran over: give them back with size 1, as in a sum.",
                ),
                Mutant(
                    "np.where(largest, share, 0)",
                    "np.where(largest & (np.cumsum(largest, axis=axes[0] if axes else None) == 1), dy, 0)",
                    "The first of several equal entries takes it all here; the house lets ties share equally.",
                ),
            ],
            hints=(
                "Nudge an entry that is not the largest by a hair. How much does the maximum move?",
                "The gradient goes to whoever was largest. Count how many share first place, and share dy among them.",
                "ties = largest.sum(axis=axes, keepdims=True)\n"
                "share = dy.reshape(___) / ___\n"
                "return np.where(___, share, ___)",
            ),
            explain=(
                "At a tie the maximum has a kink and no derivative. Any share between the leaders is a subgradient; "
                "equal shares do not depend on the order of the entries, so a shuffled batch learns the same. This is "
                "written down beside the op and pinned by a test, because a gradient check cannot see it."
            ),
        ),
        Exercise(
            "03.4",
            slot="tinyllm.autograd.ops.linalg:Matmul.backward",
            minutes=20,
            needs=("03.1",),
            checks=[shapes(), gradcheck_slot(), no_mutation()],
            mutants=[
                Mutant(
                    "kernels.matmul(dy, flip(b))",
                    "kernels.matmul(dy, b)",
                    "da needs b transposed: dy (M, N) times b^T (N, K) is (M, K), the shape of a.",
                ),
                Mutant(
                    "kernels.matmul(flip(a), dy)",
                    "kernels.matmul(a, dy)",
                    "db needs a transposed: a^T (K, M) times dy (M, N) is (K, N), the shape of b.",
                ),
                Mutant(
                    "kernels.matmul(dy, flip(b))",
                    "kernels.matmul(flip(b), dy)",
                    "The order counts: a stood on the left of b, so da has dy on the left and b^T on the right.",
                ),
                Mutant(
                    "kernels.matmul(flip(a), dy)",
                    "flip(kernels.matmul(flip(a), dy))",
                    "db came out on its side: (dy^T a) is its transpose.",
                ),
                Mutant(
                    "kernels.matmul(dy, flip(b))",
                    "kernels.matmul(dy, b.T)",
                    "b.T turns all axes of a stack around; only the last two change places: b.swapaxes(-1, -2).",
                ),
                Mutant(
                    "a, b, dy = as_matrices(*ctx.saved, dy)",
                    "a, b = ctx.saved",
                    "A vector has one axis, and a product of matrices needs two: as_matrices makes it a row on the "
                    "left, a column on the right, and as_given undoes that.",
                ),
                Mutant(
                    "as_given(da, db,",
                    "as_given(db, da,",
                    "da and db have changed places: gradients come in the order of the inputs.",
                ),
            ],
            hints=(
                "a is (M, K), b is (K, N), dy is (M, N). Which products of dy with a or b have the shape of a, of b?",
                "y_mn = sum_k a_mk b_kn: a_mk is used once for every n, with slope b_kn. So da_mk = sum_n dy_mn b_kn.",
                "a, b, dy = as_matrices(___, dy)  # vectors become a row, a column\n"
                "da = dy @ ___(b)\ndb = ___(a) @ dy\n"
                "return as_given(___, ___, *ctx.saved)",
            ),
            explain=(
                "Shapes all but force the answer, and that is the best way to remember it. One product forward becomes "
                "two of equal size going back: this is why a training step costs about three times its forward pass. "
                "Axes in front that were broadcast are summed by unbroadcast; when b is one matrix for a whole stack, "
                "laying all rows end to end turns that sum into a single product."
            ),
        ),
        Exercise(
            "03.5",
            slot="tinyllm.autograd.ops.index:Index.backward",
            minutes=15,
            needs=("03.1",),
            checks=[shapes(), gradcheck_slot(), no_mutation()],
            mutants=[
                Mutant(
                    "np.add.at(dx, key, dy)",
                    "dx[key] += dy",
                    "Where an index repeats, dx[key] += dy writes once and keeps the last: np.add.at adds every one.",
                ),
                Mutant(
                    "return dx",
                    "return dy",
                    "The gradient has the shape of x, not of what was picked: put dy back where it came from.",
                ),
                Mutant(
                    "np.zeros(shape",
                    "np.ones(shape",
                    "Entries that were not picked had no part in the result: they get zero, so start from zeros.",
                ),
                Mutant(
                    "return dx",
                    "return (dx != 0) * 1.0",
                    "This says which entries were picked; their gradient is dy, not 1.",
                ),
            ],
            hints=(
                "y = x[i] with i = [0, 2, 2]: by how much does y.sum() move for x[0], for x[1], for x[2]?",
                "Start from zeros of x's shape and put dy where it came from. What if a place was picked twice?",
                "dx = np.zeros(___, dtype=dy.dtype)\nnp.add.___(dx, key, dy)\nreturn dx",
            ),
            explain=(
                "An embedding is an index: a batch looks rows of a table up by token, and a token that occurs a "
                "hundred times gets the sum of a hundred gradients. `dx[key] += dy` reads all entries before it "
                "writes any, so of a hundred only the last would count, and nothing would complain."
            ),
        ),
    ),
)
