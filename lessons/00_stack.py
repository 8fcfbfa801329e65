# %% [markdown]
# # 00 Ten minutes to the whole stack
#
# **What happens between a text and its next word?**
#
# 10 minutes. Builds on no other lesson. Any computer will do. The payoff takes 10 seconds.

# %% [markdown]
# A language model does one thing: it reads a text and says how likely each possible next piece is. Chat, code,
# search: all of that is this one thing, again and again.
#
# In ten minutes you see the main stages at work: text becomes numbers, a GPT learns, you look inside of it, it writes,
# and its slopes are checked. At the end you write one small function, and it will measure every model of this course.
# Nothing has to be understood yet: each stage has a lesson of its own, in which you build it.

# %%
import numpy as np

import tinyllm as tl
from tinyllm import kernels, viz
from tinyllm.generate.sample import sample
from tinyllm.learn import build, claim, fig, predict, quick, say
from tinyllm.learn.stack import stack_map
from tinyllm.learn.stories import as_text, makes_sense, stories
from tinyllm.learn.stories import bits as free_bits
from tinyllm.models import GPT, GPTConfig
from tinyllm.nn.optim import AdamW
from tinyllm.tokenizer import train_bpe
from tinyllm.train import bits

# %% picture: the stack
fig(viz.draw_stack(stack_map()))

# %% [markdown]
# From a prompt at the top down to the processor. All boxes are the library's now; each turns green when your own
# functions have taken its place.

# %% [markdown]
# ## The text
#
# To learn a language on a laptop in seconds, the language has to be small. Ours tells stories of three sentences.

# %%
told = stories(np.random.default_rng(0), 4000)
known = set(told)
unseen = [story for story in stories(np.random.default_rng(1), 800) if story not in known]
say("\n>\n".join(f"> {story}" for story in told[:3]))
say(f"{len(told):,} stories to learn from; {len(unseen)} others, which it never sees, to measure it with.")

# %% predict: where is the difficulty
predict(
    "Mia has a gold drum. She lends it to Tom. Now ___ has the gold drum. What does a machine need, to fill the gap?",
    ["how often each name occurs", "the word before the gap", "a word from further back"],
    answer=2,
    because="The gap repeats a name from the sentence before it. Counting words or looking one word back cannot tell "
    "which: it takes a look back, and the right one.",
)

# %% [markdown]
# ## Text becomes numbers
#
# A text is cut into [[token]]s, pieces that occur often, and each has a number. The [[vocabulary]] is learned from
# the text (lesson 07).

# %% picture: a story in tokens
text = as_text(told)
words = train_bpe(text, 353)
first = words.encode(told[0] + "\n")
pieces = [words.decode_bytes([i]) for i in first]
fig(
    viz.draw_tokens(viz.TokenText("353 tokens", first, pieces), ids=True, title="A story in tokens"),
    alt="The first story in colored boxes, one for each token: nearly every word is one token, with its number below.",
)
claim("tokens of the first story", len(first), near=19)

# %% rows of numbers: the line end before a story, then the story
line_end = first[-1]
rows = np.array([[line_end, *words.encode(story + "\n")] for story in told])  # (4000, 20)
others = np.array([[line_end, *words.encode(story + "\n")] for story in unseen])
bytes_per_token = np.mean([len(story) + 1 for story in unseen]) / 19
claim("every story is nineteen tokens", rows.shape == (4000, 20))

# %% [markdown]
# ## A GPT learns
#
# Here is a whole GPT, with one layer. At first it knows nothing.

# %%
config = GPTConfig.preset("gpt2", vocab_size=353, block_size=20, n_layer=1, n_head=4, n_embd=64)
model = GPT(config, np.random.default_rng(0))
for p in model.parameters():
    if p.ndim == 2:
        p.data *= 3  # GPT-2's first numbers suit a model twelve times as wide; a narrow one starts with larger ones
with tl.no_grad(), kernels.use("numpy"):
    before = model.loss(others[:, :-1], others[:, 1:]).item()
say(f"It has {model.count_parameters():,} numbers. Its loss on unseen stories is {before:.2f} [[nat]]s a token.")

# %% predict: before it has learned
predict(
    "Before training, how likely does it hold each of the 353 tokens to be the next?",
    ["all about the same", "frequent ones more likely", "only those that fit"],
    answer=0,
    because="Its numbers are random and small, so it has no preference. That costs ln(353) nats a token.",
)
claim("the loss before training", before, near=float(np.log(353)), within=0.3)

# %% [markdown]
# Learning is a loop of four lines: how wrong is it on a few stories, which way does each number have to move, move
# them all a little, again.

# %%
optimizer = AdamW(model.parameters(), lr=1e-2)
rng = np.random.default_rng(2)
steps = 150 if quick() else 400
losses = []
with kernels.use("numpy"):  # a model so small is done before faster kernels would be compiled (lesson 16)
    for step in range(steps):
        batch = rows[rng.integers(len(rows), size=32)]  # 32 stories
        loss = model.loss(batch[:, :-1], batch[:, 1:])  # every token is predicted from those before it
        optimizer.zero_grad()
        loss.backward()  # which way does each number have to move?
        optimizer.step(1e-2 * min(1.0, (step + 1) / 20) * (1 - step / steps))
        losses.append(loss.item())
with tl.no_grad(), kernels.use("numpy"):
    after = model.loss(others[:, :-1], others[:, 1:]).item()
claim("the loss after training, on stories it never saw", after, below=0.6 if quick() else 0.53)

# %% picture: it learns
floor = free_bits() * np.log(2) / 19  # nats a token: what the stories leave open
subtitle = f"the stories leave {floor:.2f} nats a token open; on unseen stories it ends at {after:.2f}"
fig(viz.draw_loss(viz.LossCurve(range(steps), losses, title="A GPT learns", subtitle=subtitle)))

# %% [markdown]
# The curve falls twice. The steep fall is for the words and their order. The second one is small, and it is the
# interesting one: there the GPT finds out that the end of a story repeats its beginning, and where to look.

# %% picture: where it looks
with tl.no_grad(), kernels.use("numpy"):
    block = model.blocks[0]
    seen = block.attn.weights(block.norm1(model.embed(others[:, :-1])))  # (B, H, T, T)
share = seen.mean(axis=0)  # (H, T, T), over all unseen stories
back = {"owner": (13, 11), "color": (16, 4), "thing": (17, 5)}  # who has to look, and where the answer stands
best = {name: float(share[:, t, s].max()) for name, (t, s) in back.items()}
head = int(share[:, 13, 11].argmax())
shown = [words.decode([i]) for i in others[0, :-1]]
fig(
    viz.draw_attention(viz.AttentionMaps([seen[0]], shown, title="Where it looks"), 0, head),
    alt="One head of the GPT over a story it never saw, each row a token that looks back. In the row of Now the bright "
    "cell is the name in the second sentence: the new owner.",
)

# %%
say(
    "Read row `Now`: to say who has the thing now, this head looks at the one who was given it. Over all unseen "
    f"stories the best head gives that name {best['owner']:.0%} of its attention on average, the color "
    f"{best['color']:.0%} when it is due, the thing {best['thing']:.0%}. Nobody told it to; lesson 10 builds this."
)
claim("attention to the right word, the least of the three", min(best.values()), above=0.4)

# %% [markdown]
# The same head has a second job. Look at the row of the full stop after the first sentence: the next word is She or He,
# and to know which, it looks at the name.

# %% [markdown]
# ## It writes
#
# Ask for the next token's probabilities, draw one, append it, ask again (lesson 14).


# %%
def write(count, rng):
    ids = np.full((count, 1), line_end)
    with tl.no_grad(), kernels.use("numpy"):
        for _ in range(19):
            p = kernels.softmax(model(ids).data[:, -1])  # (count, V)
            ids = np.hstack([ids, [[sample(rng, row)] for row in p]])
    return [words.decode(row[1:]).strip() for row in ids]


written = write(200, np.random.default_rng(3))
fresh = [story for story in written if story not in known]
sense = float(np.mean([makes_sense(story) for story in written]))
say("\n>\n".join(f"> {story}" for story in written[:4]))
say(f"Of {len(written)} stories that it wrote, {len(fresh)} are new, and {sense:.0%} of all make sense to the end.")
claim("share of its stories that make sense", sense, above=0.5 if quick() else 0.7)

# %% [markdown]
# ## Can its slopes be trusted?
#
# "Which way does each number have to move" came from one backward pass. Every slope can also be measured: move the
# numbers a little, and look (lesson 01).

# %% check: each of its gradients
exact = GPT(config, np.random.default_rng(0))
exact.load_state_dict(model.state_dict())
exact.astype(np.float64)
few = others[:1, :12]  # the beginning of a story
with kernels.use("numpy"):
    report = tl.gradcheck(lambda *_: exact.loss(few[:, :-1], few[:, 1:]), list(exact.parameters()))
claim("every gradient agrees with the measured slope to nine digits", report.error < 1e-9)
say(f"{len(report.findings)} arrays of numbers, all checked by {report.method}.")

# %% [markdown]
# ## How good is it?
#
# A loss in nats per token depends on what a token is. To compare models, one asks what they pay for a byte of text,
# in bits: [[bits per byte]]. Plain text costs 8. This function is yours.

# %% build: bits per byte
build("00.1")

# %% payoff: your function measures
pairs = np.full((353, 353), 0.01)
np.add.at(pairs, (rows[:, :-1], rows[:, 1:]), 1)  # which token follows which, counted
bigram = pairs / pairs.sum(axis=-1, keepdims=True)
nats = {
    "knows nothing (bytes)": np.log(256) * bytes_per_token,
    "knows nothing (tokens)": before,
    "one word back": float(-np.log(bigram[others[:, :-1], others[:, 1:]]).mean()),
    "this GPT": after,
}
price = {name: bits.bits_per_byte(float(loss), float(bytes_per_token)) for name, loss in nats.items()}
least = bits.bits_per_byte(floor, float(bytes_per_token))

# %% picture: each model, measured
ladder = viz.Ladder(list(price), list(price.values()), "bits per byte", least, "Four models on stories they never saw")
fig(viz.draw_ladder(ladder))
claim("a byte, to one who knows nothing, in bits", price["knows nothing (bytes)"], near=8.0, within=1e-9)
saved = price["one word back"] - price["this GPT"]
claim("bits a byte that the GPT saves over one word back", saved, above=0.1)
say(
    f"The GPT pays {price['this GPT']:.3f} bits for a byte, one word back {price['one word back']:.3f}. The stories "
    f"leave {least:.3f} open: on average no model can pay less, however large it is."
)

# %% picture: one box is yours
fig(viz.draw_stack(stack_map({"00.1"}, title="The stack, when your function has passed its check")))

# %% [markdown] explain: what you have seen
# Text, tokens, a model, its loss, its slopes, a step: that is training. A text, probabilities, a draw, append: that
# is writing. Large models differ from this one in size, not in kind.
#
# And one number measured them all. A model that pays few bits for a byte has few surprises left: to predict a text
# well and to compress it well is the same thing.

# %% [markdown] next: where to go from here
# - **From the ground up:** lesson 01 builds the instrument that checks every slope.
# - **Straight to the heart:** lesson 10, attention. Whatever you have not written yet the library fills in.
# - **Look around:** `tinyllm tour` watches a larger GPT learn from a longer text, and checks its gradients.
# - **Play:** give the GPT two layers, or eight heads, or a tenth of the stories. What does it pay then?
