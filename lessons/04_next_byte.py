# %% [markdown]
# # 04 Predict the next byte
#
# **How does a machine learn from nothing but text what comes next?**
#
# 50 minutes. Builds on lessons 01 and 03. Any computer will do. The payoff takes 10 seconds.

# %% [markdown]
# A language model reads a text and says what may come next. Everything else it does grows out of that.
#
# We start with the smallest one there is: it looks at a single byte and predicts the next. First by counting, so that
# we know the right answer; then by learning, so that we have a machine that finds such answers by itself. On the way
# you write the two functions that stand at the end of every language model: [[softmax]] and [[cross-entropy]].

# %%
from itertools import pairwise

import numpy as np

import tinyllm as tl
from tinyllm import kernels, viz
from tinyllm.generate.sample import sample
from tinyllm.learn import build, claim, fig, predict, quick, say
from tinyllm.learn.material.stories import as_text, bits, stories
from tinyllm.nn.optim import Adam
from tinyllm.train.bits import bits_per_byte

# %% the text, and the bytes it is made of
told = stories(np.random.default_rng(0), 400 if quick() else 2000)
text = as_text(told)
letters, ids = np.unique(np.frombuffer(text.encode(), np.uint8), return_inverse=True)  # ids (N,), 0 .. V-1
shown = [chr(letter) for letter in letters]
V = len(letters)
say(f"> {told[0]}\n>\n> {told[1]}")
say(f"{len(told):,} such stories are {len(ids):,} bytes, of {V} different kinds.")

# %% predict: what follows a letter
predict(
    "The names in these stories are Ada, Ben, Eve, Leo, Max, Mia, Tom and Zoe. Which bytes come after a capital `T`?",
    ["only o", "o and h", "any small letter"],
    answer=0,
    because="Tom is the only word with a capital T. A table of pairs already knows a little about spelling.",
)

# %% [markdown]
# ## Counting
#
# How often does byte `j` follow byte `i`? One pass over the text fills a table of counts; each row, divided by its
# sum, is a row of probabilities. Such a table is called a [[bigram]] model.

# %%
counts = np.zeros((V, V))
np.add.at(counts, (ids[:-1], ids[1:]), 1)
seen = np.maximum(counts.sum(axis=-1, keepdims=True), 1)  # (V, 1): how often each byte had a next one
counted = counts / seen  # (V, V), each row sums to 1
after_T = counted[shown.index("T"), shown.index("o")]
claim("after T comes o", after_T, near=1.0, within=1e-12)

# %% picture: what comes after what
fig(viz.draw_bigram(viz.Bigram(shown, {"counted": counted}, subtitle=f"{len(ids):,} bytes of stories")))

# %% [markdown]
# Bright cells are near certainties: a full stop is followed by a space or a new line, and a line end by the first
# letter of a name. Rows with many faint cells are where the table does not know.

# %% [markdown]
# ## What a prediction costs
#
# A model that gives the byte that came a probability of `p` pays `-log p`: nothing when it was certain, a lot when it
# was surprised. With the natural logarithm the price is in [[nat]]s. The mean price over a text is its cross-entropy.
#
# Counting gives the best bigram table there can be for this text, so its price is a floor. It has a name: the
# [[entropy]] of the next byte, given the one before it.

# %% the floor: what the counted table pays
likely = counted[ids[:-1], ids[1:]]  # (N - 1,), the probability of each byte that came
floor = float(-np.log(likely).mean())
say(
    f"The counted table pays {floor:.4f} nats a byte, which is {bits_per_byte(floor, 1.0):.3f} bits. Knowing nothing, "
    f"each of {V} bytes being as likely as any other, costs {np.log(V):.4f} nats."
)
claim("the table beats knowing nothing, in nats a byte", np.log(V) - floor, above=1.0)

# %% predict: no idea
predict(
    "A model gives every one of 256 bytes the same probability. What does it pay for each byte?",
    ["1 bit", "8 bits", "256 bits"],
    answer=1,
    because="-log2(1/256) = 8: the bits that a byte has when nothing is known about it.",
)

# %% [markdown]
# ## From scores to probabilities
#
# Counting only works while the table is small. A machine that learns has no counts: it has numbers that it can move
# up and down, one score for each byte that may come next. They are called [[logits]]. Any numbers will do, negative
# ones too, so they are no probabilities yet.
#
# Exponentials make them positive; dividing by their sum makes them sum to one:
#
#     p_i = exp(x_i) / sum_j exp(x_j)
#
# There is one trap: `exp(1000)` is infinite in floating point. The way around it is a function that you need twice
# today, the logarithm of a sum of exponentials.

# %% build: a maximum with rounded corners
build("04.1")

# %% build: scores become probabilities
build("04.2")

# %% [markdown]
# In the forward pass a score that rises takes probability from all the others in its row. So on the way back it is
# not enough to look at each score by itself: what every probability of the row wants comes together in one sum.

# %% build: and the way back
build("04.3")

# %% check: only differences count
x = np.random.default_rng(1).normal(size=(3, 5))
moved = float(np.abs(kernels.softmax(x + 1e4) - kernels.softmax(x)).max())
claim("raising a whole row by 10,000 changes no probability", moved < 1e-9)

# %% [markdown]
# ## From probabilities to a loss
#
# The price `-log p` of the byte that came, written with the scores, needs no softmax at all:
#
#     -log (exp(x_target) / sum_j exp(x_j))  =  logsumexp(x) - x_target
#
# That is how it should be calculated: a probability that rounds to zero would cost infinity.
#
# Some rows may not count, such as padding: their target is `ignore_index`. The function `counted_rows`, at the top of
# your file, says which rows do, and refuses targets that are out of range.

# %% build: the price of what came
build("04.4")

# %% [markdown]
# In the forward pass the loss was `logsumexp(x) - x_target`. The slope of the first part is the softmax, that of the
# second is one at the target. So now the gradient is what the model expected, less what came.

# %% build: expected, less what came
build("04.5")

# %% predict: where learning ends
predict(
    "Now a table of scores starts at zero and follows its gradient. What does it pay in the end, on this text?",
    ["nothing at all", "what the counted table pays", "ln V, as at the start"],
    answer=1,
    because="No table of pairs can do better than the counts, and nothing stands between the scores and the counts.",
)

# %% [markdown]
# ## Learning
#
# The text holds many pairs of bytes, but few different ones. Each different pair is looked at once, weighted by how
# often it occurs: that is the same mean.

# %% payoff: a table learns what counting knows
first, second = np.nonzero(counts)  # the different pairs
weight = counts[first, second] / counts.sum()
table = tl.Tensor(np.zeros((V, V)), requires_grad=True)  # the logits of the next byte, for each byte
optimizer = Adam([table], lr=0.5)
losses = []
steps = 400
for step in range(steps):
    price = tl.cross_entropy(table[first], second, reduction="none")  # one for each different pair
    loss = (price * weight).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step(0.5 * (1 - step / steps))
    losses.append(loss.item())

# %%
claim("the first loss is ln V", losses[0], near=float(np.log(V)), within=1e-9)
claim("the learned table pays what the counted one pays, to a thousandth of a nat", abs(losses[-1] - floor) < 1e-3)
claim("nats a byte, learned", losses[-1], near=floor, within=1e-3)
say(
    f"It began at {losses[0]:.4f} nats a byte and ends at {losses[-1]:.4f}. Counting pays {floor:.4f}. "
    "Nobody told it the counts: it found them by following a slope."
)

# %% picture: counted, and learned
learned = kernels.softmax(table.data)
learned[counts.sum(axis=-1) == 0] = 0  # a byte that nothing follows has no row
both = viz.Bigram(
    shown, {"counted": counted, "learned": learned}, subtitle=f"{steps} steps of Adam from scores of zero"
)
claim("no probability differs by a hundredth", both.apart() < 0.01)
fig(viz.draw_bigram(both))

# %% [markdown]
# There is a second road to the same loss: make the probabilities with softmax, pick those of what came, take the
# logarithm. It is slower and less safe, and it goes back through your `Softmax.backward`. Both roads must lead to the
# same gradient.

# %% check: two roads, one gradient
scores = np.random.default_rng(2).normal(size=(V, V))
one = tl.Tensor(scores.copy(), requires_grad=True)
(tl.cross_entropy(one[first], second, reduction="none") * weight).sum().backward()
other = tl.Tensor(scores.copy(), requires_grad=True)
(-(other.softmax()[first, second].log() * weight)).sum().backward()
claim("the two gradients agree to fourteen decimals", np.abs(one.grad - other.grad).max() < 1e-14)

# %% payoff: it writes
rng = np.random.default_rng(3)
at = shown.index("\n")
written = []
for _ in range(160):
    at = sample(rng, kernels.softmax(table.data[at]))
    written.append(shown[at])
say("```text\n" + "".join(written).strip() + "\n```")
known = np.mean([one + other in text for one, other in pairwise(written)])
claim("share of its pairs of letters that occur in the stories", known, above=0.99)

# %% [markdown]
# Every pair of letters is one that it has seen, and hardly a word is right. It has no memory: when it writes the
# second letter of a name, it has forgotten the first.

# %% how far there is to go
story = float(np.mean([len(one) + 1 for one in told]))
needed = bits() / story
pays = bits_per_byte(losses[-1], 1.0)
say(
    f"It pays {pays:.3f} bits a byte. A story holds {bits():.1f} bits of free choice, so {needed:.3f} bits a byte "
    f"would do: {pays / needed:.0f} times less. All that lies between is memory."
)
claim("bits a byte that a memory could save", pays - needed, above=1.0)

# %% [markdown] explain: why learning ends where counting begins
# For one pair the gradient of a row is `p - onehot`. Over the whole text the onehots of a row add up to its counts,
# so the gradient of the mean loss is
#
#     (how often the row's byte occurs)  x  (learned probabilities - counted probabilities)
#
# and it is zero exactly where the two agree. Gradient descent does not know about counting; it stops pulling when
# expectation and text are the same.
#
# Nothing here depends on the scores being a table. Put a network in its place, with the whole text so far as its
# input, and the same loss with the same gradient trains it. GPT-2 was trained on the function you wrote.

# %% [markdown] next: where to go from here
# - **Another price?** Train on one half of the stories and measure on the other: `counts` of zero cost infinity
#   there, the learned table does not. Why?
# - **Tokens instead of bytes:** lesson 00 measures the same stories with tokens, and a GPT on them.
# - **More memory:** lesson 10 lets every position choose what to read.
# - `tinyllm train --mine=04` trains a GPT with your loss in place of the library's; the receipt counts the calls.
