# %% [markdown]
# # 10 Attention
#
# **How can a position choose what to read?**
#
# 75 minutes. Builds on lessons 03 and 04. Any computer will do. The payoff takes 10 seconds.

# %% [markdown]
# Here is a task that a child can do: read a word, then write it backward.
#
#     tensor|rosnet
#
# The letter that comes next is always there to be seen, a few places back. Which place depends on how far the
# writing has come: first the last letter, then the one before it. So a model that solves this must, at every
# position, *choose what to read*. This lesson builds the part that chooses. It is the only part of a GPT through
# which positions see each other at all.

# %%
import numpy as np

from tinyllm import kernels, viz
from tinyllm.autograd import no_grad
from tinyllm.autograd.numeric import complex_step
from tinyllm.kernels import attend, attend_backward, causal_mask
from tinyllm.learn import build, claim, fig, predict, quick, say
from tinyllm.models import GPT, GPTConfig
from tinyllm.nn.attention import merge_heads, split_heads
from tinyllm.nn.optim import AdamW

rng = np.random.default_rng(0)

# %% the task: random words, a bar, the same words backward
ALPHABET = "abcdefghijklmnopqrstuvwxyz|."
BAR, DOT, N = ALPHABET.index("|"), ALPHABET.index("."), 10


def random_words(rng, count, shortest=1):
    """Draw words of up to N letters, (count, N) ids, with dots in front of those that are shorter."""
    letters = rng.integers(0, 26, (count, N))
    lengths = rng.integers(shortest, N + 1, (count, 1))
    return np.where(np.arange(N) >= N - lengths, letters, DOT)


def questions(words):
    """Return what the model reads, (count, 2 N), and what comes next there; -100 where nobody asks."""
    bar = np.full((len(words), 1), BAR)
    text = np.concatenate([words, bar, words[:, ::-1]], axis=1)  # (count, 2 N + 1)
    reads, next_up = text[:, :-1], text[:, 1:].copy()
    next_up[:, :N] = -100  # the word itself is anyone's guess
    next_up[next_up == DOT] = -100
    return reads, next_up


reads, next_up = questions(random_words(rng, 1, shortest=6))
say(f"One of them: `{''.join(ALPHABET[i] for i in reads[0])}`")

# %% predict: what a bigram makes of it
predict(
    "A bigram guesses the next letter from the current one alone. It has counted thousands of reversed words of random "
    "letters. What share of new letters does it get right?",
    ["about 1 in 26", "about a half", "nearly all"],
    answer=0,
    because="The letters are random, so the current one says nothing about its neighbor. The answer is further back.",
)

# %% a bigram, counted
counts = np.zeros((28, 28))
reads, next_up = questions(random_words(rng, 5000))
asked = next_up >= 0
np.add.at(counts, (reads[asked], next_up[asked]), 1)

reads, next_up = questions(random_words(rng, 1000, shortest=6))
asked = next_up >= 0
bigram = np.mean(counts[reads].argmax(axis=-1)[asked] == next_up[asked])
claim("share of letters a bigram gets right", bigram, below=0.08)
say(f"The bigram gets {bigram:.1%} of the letters: chance. It cannot look back, so no amount of counting helps.")

# %% [markdown] picture: the walk of one query
# **[[attention|Attention]] is a lookup with soft edges.** In a dictionary you ask with a key and get the value that is
# stored under exactly that key. Here every position holds three vectors that the model makes from what it knows there:
#
# - a **[[query]]** q: what am I looking for?
# - a **[[key]]** k: what can I be found by?
# - a **[[value]]** v: what do I have to give?
#
# A query is compared with every key, and it gets a mean of all the values, in which the best matches weigh most.

# %% picture: scores, weights, and what is brought home tags=["hide-input"]
T, D = 6, 4
draws = np.random.default_rng(0)
q, k, v = (draws.normal(size=(T, D)) for _ in range(3))
visible = causal_mask(T, T)
out, w = attend(q, k, v, visible, D**-0.5)
asks = 3
scores = (q @ k.T)[asks] * D**-0.5
fig(viz.draw_walk(viz.QueryWalk(list("tensor"), asks, scores, visible[asks], w[asks], v)))

# %% [markdown]
# Three steps, one line of code each. We take them in order, with one small piece before them.
#
# **Who may look where?** A model that learns to predict the next letter must not see it. So position t may look at
# positions up to t: itself and the past. That is the [[causal mask]], a table with a row for each query and a column
# for each key, true where looking is allowed.

# %% the table for four positions
claim("true entries of a mask of four", int(causal_mask(4, 4).sum()), near=10)
say(f"```\n{causal_mask(4, 4).astype(int)}\n```")

# %% [markdown]
# One more case is worth having from the start. When text is written letter by letter, there is one new query, and
# many keys from before. So there may be fewer queries than keys, and the T queries are then **the last of the S
# positions**.

# %% build: who may read whom
build("10.1")

# %% predict: how large a score gets
predict(
    "q and k hold D = 64 random numbers each, of size about 1. About how large is their product, a sum of 64 terms?",
    ["1", "8", "64"],
    answer=1,
    because="Random signs cancel for the most part: a sum of D independent terms has size sqrt(D).",
)

# %% why the scores are scaled
D = 64
q, k, v = (rng.normal(size=(1000, 16, D)) for _ in range(3))
everything = np.ones((16, 16), dtype=bool)
size = (q @ k.swapaxes(-1, -2)).std()
sharp = attend(q, k, v, everything, 1.0)[1].max(axis=-1).mean()
soft = attend(q, k, v, everything, D**-0.5)[1].max(axis=-1).mean()
claim("size of a score of 64 terms", size, near=8, within=0.1)
claim("largest of 16 weights, not scaled", sharp, above=0.8)
claim("largest of 16 weights, scaled", soft, below=0.35)
say(f"""
    The scores have size {size:.1f}. Without a scale the best of 16 keys takes {sharp:.0%} of all the weight before
    anything has been learned, and a softmax that is sure of itself has no slope to learn by. Divided by sqrt(D), the
    best takes {soft:.0%}, and all the others are still in the game.
""")

# %% [markdown]
# So the three lines are: scores of every query with every key, times 1 / sqrt(D); a [[softmax]] over the keys that are
# visible; a mean of the values with those weights. A key that is hidden gets a score of minus infinity *before* the
# softmax. Hiding it afterwards would leave a row that no longer sums to 1.

# %% build: what a query brings home
build("10.2")

# %% check: the future leaves no trace
q, k, v = (rng.normal(size=(8, 5)) for _ in range(3))
before = attend(q, k, v, causal_mask(8, 8), 5**-0.5)[0]
q2, k2, v2 = (np.concatenate([a[:5], rng.normal(size=(3, 5))]) for a in (q, k, v))
after = attend(q2, k2, v2, causal_mask(8, 8), 5**-0.5)[0]
claim("positions 0 to 4 are the same bits, whatever comes later", before[:5].tobytes() == after[:5].tobytes())
claim("positions 5 to 7 are not", not np.any(before[5:] == after[5:]))

# %% [markdown]
# **Now the way back.** Someone hands us dout: how the loss changes with every number of out. We go through the three
# lines in reverse, and each is a rule you have already.
#
# - In the forward pass this was `out = w v`, a product of matrices; so now we have `dw = dout v^T` and
#   `dv = w^T dout` (03.4).
# - In the forward pass this was `w = softmax(s)`, row by row; so now we have
#   `ds = w * (dw - the row's weighted mean of dw)` (04.3).
# - In the forward pass this was `s = scale q k^T`; so now we have `dq = scale ds k` and `dk = scale ds^T q`.
#
# What of the mask? It needs no line. A hidden key has a weight of exactly zero, and zero times anything is zero.

# %% build: the way back
build("10.3")

# %% check: against the numeric derivative
q, k, v, dout = (rng.normal(size=(5, 3)) for _ in range(4))
visible = causal_mask(5, 5)
_, w = attend(q, k, v, visible, 3**-0.5)
dq, dk, dv = attend_backward(q, k, v, w, dout, 3**-0.5)
direction = rng.normal(size=q.shape)
with kernels.use("numpy"):  # the reference is what a complex number can go through
    slope = complex_step(lambda q: (dout * attend(q, k, v, visible, 3**-0.5)[0]).sum(), q, direction)
claim("dq against the complex step, relative error", abs((dq * direction).sum() / slope - 1), below=1e-12)
claim("dq of the first query, which sees only itself", np.abs(dq[0]).max(), below=1e-14)

# %% [markdown]
# The second claim is worth a moment. A query with one visible key gives it all of its weight, whatever the score. So
# moving the score moves nothing, and `dq` is zero there. All of that is in the row sum of 10.3.
#
# **Several [[head]]s.** One softmax has one peak, so one query reads mostly one place. To read several, cut the C
# numbers of each vector into H heads of D = C / H, and let each head look for itself. It costs the same.

# %% predict: is a reshape enough?
predict(
    "x is (B, T, C) = (2, 5, 6), for H = 3 heads of D = 2. Does x.reshape(2, 3, 5, 2) give (B, H, T, D)?",
    ["yes", "the shape is right, the numbers are in the wrong places", "it raises an error"],
    answer=1,
    because="reshape never moves a number. Head 0 would get all of position 0, then 1, then part of the next.",
)

# %% what a reshape alone would do
x = np.arange(2 * 5 * 6).reshape(2, 5, 6)
wrong, right = x.reshape(2, 3, 5, 2), split_heads(x, 3)
claim("the same shape", wrong.shape == right.shape)
say(f"""
    Head 0 is to hold the first two numbers of each of the five positions.

    - `reshape` alone gives it `{wrong[0, 0].tolist()}`
    - cut, then turned: `{right[0, 0].tolist()}`
""")
claim("split and merge are inverses", np.array_equal(merge_heads(split_heads(x, 3)), x))

# %% build: heads apart
build("10.4")

# %% build: heads together
build("10.5")

# %% [markdown]
# That is all of it. The library's layer, `nn.SelfAttention`, makes q, k and v with one matrix, cuts them into heads,
# attends, merges, and sends the result through one more matrix. Your five functions fit into it as they are.

# %% a GPT of one layer, and a loop to train it
STEPS = 120 if quick() else 200


def train(window=None):
    """Train one layer of two heads on reversed words; a window of 1 lets a position see nothing but itself."""
    rng = np.random.default_rng(1)
    config = GPTConfig(vocab_size=28, block_size=2 * N, n_layer=1, n_head=2, n_embd=64, window=window)
    model = GPT(config, rng)
    optimizer = AdamW(model.parameters(), lr=0.01, weight_decay=0.0)
    for step in range(STEPS):
        model.zero_grad()
        model.loss(*questions(random_words(rng, 64))).backward()
        optimizer.lr = 0.01 * min(1.0, (step + 1) / 10) * (1 - step / STEPS)
        optimizer.step()
    return model


def answers(model, words):
    """Return what the model says comes next, at every position of (count, N) words, and what does come."""
    reads, next_up = questions(words)
    with no_grad():
        return model(reads).data.argmax(axis=-1), next_up


# %% payoff: your attention reverses words it has never seen
model = train()
unseen = random_words(np.random.default_rng(99), 1000, shortest=6)
says, truth = answers(model, unseen)
asked = truth >= 0
letters = np.mean(says[asked] == truth[asked])
whole = np.mean(np.all((says == truth) | ~asked, axis=1))
claim("letters right in unseen words", letters, above=0.99)
claim("unseen words right from the first letter to the last", whole, above=0.95)
say(f"""
    After {STEPS} steps your model reverses {whole:.1%} of unseen words without a mistake, and gets {letters:.1%} of
    their letters. The bigram got {bigram:.1%}.
""")

# %% words of your own
for word in ("tensor", "attention", "backward"):
    ids = np.array([[DOT] * (N - len(word)) + [ALPHABET.index(letter) for letter in word]])
    says, _ = answers(model, ids)
    written = "".join(ALPHABET[i] for i in says[0, N : N + len(word)])
    claim(f"{word} backward is {written}", written == word[::-1])

# %% check: the same model with its eyes covered
blind = train(window=1)
says, truth = answers(blind, unseen)
covered = np.mean(says[asked] == truth[asked])
claim("letters right when a position sees only itself", covered, below=0.10)
say(f"""
    The same layers, the same number of weights, the same steps. The one change: a window of 1, so each position sees
    nothing but itself. It gets {covered:.1%} of the letters. What made the difference was what you built.
""")

# %% [markdown] explain: it found the mirror
# Nobody told the model where to look. Here is one of its heads on an unseen word; rows look, columns are looked at.
# In the lower half, where it writes, follow the rows down: each looks one place further back.

# %% picture: the mirror, found by training tags=["hide-input"]
reads, _ = questions(np.array([[ALPHABET.index(letter) for letter in "backwardly"]]))
maps = viz.AttentionMaps(
    [array[0] for array in model.attention_maps(reads)], [ALPHABET[i] for i in reads[0]], "A model that reverses words"
)
writes = np.arange(N, 2 * N)
on_mirror = [head[writes, 2 * N - 1 - writes].mean() for head in maps.maps[0]]
best = int(np.argmax(on_mirror))
fig(
    viz.draw_attention(maps, 0, best),
    alt="Attention of one head. Rows below the bar form a bright anti-diagonal: each writing position looks at the "
    "letter that it has to write next, one place further back each time.",
)

# %% how much of its weight lies on the mirror
claim("weight on the letter to be written, the better head", on_mirror[best], above=0.5)
say(f"""
    When it writes, this head gives {on_mirror[best]:.0%} of its weight to the one letter that comes next. Even shares
    would be `1 / {N + 1}` at best. The rest of the model copies what it was brought.
""")

# %% [markdown]
# **In one breath.** A query asks every key it may see; a softmax turns the answers into shares; the shares mix the
# values. Each step has a slope, so where to look can be learned like any other weight. The price: every query meets
# every key, T times T scores, and that is what lessons 15 and 16 are about.

# %% [markdown] next: where to go from here
# - See it from all sides: `viz.attention_page(maps)` returns the explorer as one HTML page. Write it to a file, open
#   it, point at a letter, change the head.
# - Try `n_head=1`, or a window of 5. Which words can it still reverse?
# - `tinyllm train --mine=10` trains a GPT on text with your attention in it; the receipt counts the calls.
# - Lesson 11 puts this layer, a little network and a sum around it together: GPT, in a hundred lines.
# - Lesson 15 keeps the keys and values of the past, and lesson 16 never writes the T times T scores down.
