# %% [markdown]
# # 03 Tensors and the broadcasting bill
#
# **When one number is used in many places, what does it owe, and to whom?**
#
# 75 minutes. Builds on lesson 01. Any computer will do. The payoff takes 5 seconds.

# %% [markdown]
# Add four biases to three rows of numbers. NumPy lets you write `x + b`, and quietly uses each bias three times. That
# is convenient on the way forward. On the way back somebody has to pay: each bias moved the loss in three places, so
# its gradient has three parts.
#
# This lesson is about that bill. It comes in five forms, and with them the engine can train a network.

# %%
import numpy as np

import tinyllm as tl
from tinyllm import viz
from tinyllm.autograd.numeric import numerical_grad
from tinyllm.autograd.unbroadcast import unbroadcast
from tinyllm.learn import build, claim, fig, predict, quick, say

rng = np.random.default_rng(0)

# %% predict: the gradient of a bias
predict(
    "x is (3, 4) and b is (4,). The loss is (x + b).sum(). What is its gradient with respect to b?",
    ["ones of shape (3, 4)", "ones of shape (4,)", "threes of shape (4,)"],
    answer=2,
    because="Each bias is added to three rows. Raise one by a hair and the loss rises by three hairs.",
)

# %% ask the slope itself
x, b = rng.normal(size=(3, 4)), rng.normal(size=4)
slopes = numerical_grad(lambda b: (x + b).sum(), b)
claim("how far the four slopes are from 3", np.abs(slopes - 3).max(), below=1e-6)

# %% [markdown]
# There is a way to see every bill at once. Nudge one entry of an array by a hair, and note which entries of the result
# move. Do it for all of them, and count.


# %% which entries feed which
def feeds(f, x):
    """Return for every entry of x which entries of f(x) move with it: bool, (shape of x, shape of f(x))."""
    y = f(x)
    moved = np.zeros(x.shape + y.shape, dtype=bool)
    for place in np.ndindex(x.shape):
        nudged = x.copy()
        nudged[place] += 1e-6
        moved[place] = f(nudged) != y
    return moved


# %% picture: how often every number is used tags=["hide-input"]
a, c, e = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=5)
rows = [
    ("y = x + b", "b", b, lambda b: x + b, (1,)),
    ("y = x.sum(axis=1)", "x", x, lambda x: x.sum(axis=1), (1, 2)),
    ("y = x.max(axis=1)", "x", x, lambda x: x.max(axis=1), (0, int(x[0].argmax()))),
    ("y = x[i], i = [0, 2, 2]", "x", e, lambda x: x[np.array([0, 2, 2])], (2,)),
    ("y = a @ b", "a", a, lambda a: a @ c, (1, 0)),
    ("y = a @ b", "b", c, lambda b: a @ b, (1, 2)),
]
ties = [viz.Feeds(op, name, "y", feeds(f, of), of.shape, one) for op, name, of, f, one in rows]
fig(viz.draw_dependencies(ties))

# %% [markdown]
# Here is the one rule behind all six. An entry `x_i` feeds some entries `y_j`, each with a slope. If dy says how the
# loss changes with each `y_j`, then
#
#     dx_i = sum over the y_j that x_i feeds:  slope * dy_j
#
# Used three times: three terms. Used once: one term. Not used: zero. **[[backward pass|The way back]] collects from
# wherever the way forward has sent.** What follows are five ways to compute that sum without loops.
#
# **Rule 1: broadcasting.** In the forward pass one entry was copied to many places; so now its gradient is the sum of
# what those places send back. [[broadcasting|Broadcasting]] copies in two ways. It puts new axes in front, as for b
# above, and it stretches axes of size 1: (3, 1) against (3, 4) becomes (3, 4). Both are summed over, and the result has
# the shape that the value had.

# %% build: the bill itself
build("03.1")

# %% check: what copying and adding up have to do with each other
dy = rng.normal(size=(3, 4))
for shape in ((4,), (3, 1), (1, 4), (1, 1)):
    value = rng.normal(size=shape)
    forward = (dy * np.broadcast_to(value, dy.shape)).sum()
    back = (unbroadcast(dy, shape) * value).sum()
    claim(f"dy on copies of x, less summed dy on x, for {shape}", abs(forward - back), below=1e-12)

# %% [markdown]
# Those two numbers are equal for every x and dy. That makes one the *transpose* of the other, and it is the most
# compact way to say what a [[gradient]] rule must do. The engine calls your `unbroadcast` after every op, so no op has
# to think of it again.
#
# **Rule 2: sums.** In the forward pass `y = x1 + x2 + x3`; so now each of them gets dy, in full. Summing and copying
# are each other's way back. There is one trap: dy has lost the axes that were summed away, and needs them back, with
# size 1, before it can be copied along them.

# %% build: the way back of a sum
build("03.2")

# %% predict: a tie
predict(
    "x = [1, 4, 4] and y = max(x). What is the gradient of y with respect to x in this house?",
    ["[0, 1, 1]", "[0, 1, 0]", "[0, 1/2, 1/2]"],
    answer=2,
    because="The two leaders share. [0, 1, 1] would pay the bill twice: moving both up by a hair moves y by one hair.",
)

# %% [markdown]
# **Rule 3: maxima.** In the forward pass only the largest entry got through; so now only it is paid. Where several are
# largest there is a kink, and the slope depends on the side you come from. We let them share equally: then the order of
# the entries does not matter.

# %% build: the way back of a maximum
build("03.3")

# %% check: ties are shared, and never paid twice
leaders = tl.Tensor(np.array([1.0, 4.0, 4.0]), requires_grad=True)
leaders.max().backward()
claim("each of two leaders gets one half", np.array_equal(leaders.grad, [0, 0.5, 0.5]))

# %% [markdown]
# **Rule 4: products of matrices.** `y_mn = sum_k a_mk b_kn`. The picture says that `a_mk` feeds row m of y, and the
# formula says with which slopes: `b_kn`. So `da_mk = sum_n dy_mn b_kn`, which is a product of matrices again:
#
#     da = dy b^T       (M, N) (N, K) -> (M, K), the shape of a
#     db = a^T dy       (K, M) (M, N) -> (K, N), the shape of b
#
# The shapes leave no other choice, and that is how most people remember it. One thing to watch: NumPy takes a vector on
# the left as one row, and on the right as one column. `as_matrices` and `as_given`, which your file imports, add those
# axes and take them away again.
#
# One product forward, two of the same size going back: this is why training a model costs three times what running it
# does.

# %% build: the way back of a product
build("03.4")

# %% predict: an index that repeats
predict(
    "i = [0, 2, 2], y = x[i], and the loss is y.sum(). What is its gradient with respect to x, of four entries?",
    ["[1, 0, 2, 0]", "[1, 0, 1, 0]", "[1, 1, 1, 0]"],
    answer=0,
    because="Entry 2 was picked twice and is paid twice; entries 1 and 3 were not picked.",
)

# %% [markdown]
# **Rule 5: picking entries out.** In the forward pass y took copies from some places; so now dy is put back at those
# places, and where a place was picked twice both parts are added. It reads like one line of NumPy, and here is its
# trap.

# %% the line that loses money
key, dy = np.array([0, 2, 2]), np.ones(3)
lost, kept = np.zeros(4), np.zeros(4)
lost[key] += dy
np.add.at(kept, key, dy)
claim("paid by dx[key] += dy", lost.sum(), near=2, within=0)
claim("paid by np.add.at", kept.sum(), near=3, within=0)
say(f"""
    `dx[key] += dy` gives `{lost.tolist()}`: it reads all entries, adds, and then writes, so the second of two writes to
    one place wins. `np.add.at` adds one after the other and gives `{kept.tolist()}`. No error is raised either way.
""")

# %% build: the way back of an index
build("03.5")

# %% [markdown]
# **All five in one network.** It gets five digits and has to say which is the largest. Nobody tells it what a digit is:
# each gets a vector of numbers to be learned, and all that the network can do is
#
# - pick the vectors of its five digits (index),
# - send each through a matrix (product) and add a bias (broadcasting),
# - keep the largest of the five in every component (maximum),
# - one more matrix, and the mean of the squared errors as its loss (sum).


# %% the network, in four lines
def network(params, digits):
    """Return a guess for each row of digits (B, T) -> (B,)."""
    vectors, w1, b1, w2 = params
    picked = vectors[digits]  # (B, T, C)
    hidden = picked @ w1 + b1  # (B, T, C)
    return ((hidden.max(axis=1)) @ w2).sum(axis=1)  # (B,)


def start(rng, C=16):
    """Draw the parameters."""
    shapes = (10, C), (C, C), (C,), (C, 1)
    return [tl.Tensor(0.4 * rng.normal(size=shape), requires_grad=True) for shape in shapes]


def loss_of(params, digits):
    """Return the mean squared error over a batch."""
    error = network(params, digits) - digits.max(axis=1).astype(np.float64)
    return (error * error).sum() / len(digits)


# %% check: the gradient of the whole network
params = start(np.random.default_rng(1))
digits = np.random.default_rng(2).integers(0, 10, (7, 5))
loss_of(params, digits).backward()
for name, p in zip(("vectors", "w1", "b1", "w2"), params, strict=True):

    def loss_at(values, p=p):
        """Return the loss with other values in place of p's."""
        kept, p.data = p.data, values
        with tl.no_grad():
            loss = loss_of(params, digits).item()
        p.data = kept
        return loss

    numeric = numerical_grad(loss_at, p.data)
    claim(f"d{name}, relative error", np.abs(p.grad - numeric).max() / np.abs(numeric).max(), below=1e-6)

# %% payoff: it learns on your five rules
params, draws = start(np.random.default_rng(1)), np.random.default_rng(3)
for _ in range(300 if quick() else 1500):
    for p in params:
        p.grad = None
    loss_of(params, draws.integers(0, 10, (64, 5))).backward()
    for p in params:
        p.data = p.data - 0.01 * p.grad

# %% how well
unseen = np.random.default_rng(4).integers(0, 10, (2000, 5))
with tl.no_grad():
    guesses = network(params, unseen).data
largest = unseen.max(axis=1)
right = np.mean(np.round(guesses) == largest)
baseline = np.mean(largest == np.bincount(largest).argmax())
claim("right answers on digits it has not seen", right, above=0.6 if quick() else 0.9)
claim("always saying the most common answer", baseline, below=0.5)
say(f"""
    It names the largest of five digits in {right:.0%} of new cases; always saying the most common answer is right in
    {baseline:.0%}. Every gradient on the way went through your five functions.
""")

# %% [markdown] explain: one rule, five faces
# A sum sends back copies; a copy sends back a sum. A maximum sends back to whoever won; a pick sends back to where it
# picked. A product of matrices does both at once, with slopes in between. In each case the table of who feeds whom is
# read backward, columns as rows: the transpose.
#
# The mistakes have one root as well. Keeping one part where several should be added loses gradient silently: the
# shapes fit, no error is raised, and the network learns, only worse. That is why lesson 01 came first.

# %% [markdown] next: where to go from here
# - `viz.dependency_page(ties)` returns the picture from the beginning as one HTML page. Write it to a file, open it,
#   and point at a cell: on the left to see what it feeds, on the right to see what it is made of.
# - `pytest --mine tests/autograd` holds your five functions to all tests of the library's own engine.
# - `tinyllm learn solution 03.4` sets yours beside the library's. It joins all rows of a stack into one large product;
#   see why that pays.
# - Lesson 04 uses these rules for a model of text: it predicts the next byte.
# - Lesson 10 is made of rules 1 and 4, twice each: attention.
