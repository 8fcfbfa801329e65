# %% [markdown]
# # 01 Slopes you can trust
#
# **How do you know that a gradient is right?**
#
# 40 minutes. Builds on no other lesson. Any computer will do. The payoff takes 10 seconds.

# %% [markdown]
# A model learns by asking one question of each of its numbers: if you moved a little, where would the loss go? The
# answers, a slope for each number, are the [[gradient]].
#
# A wrong gradient rarely crashes. The model trains all the same, only worse, and nobody can say why. So before we
# write a single way back we build the instrument that tells a right one from a wrong one. Everything in this course,
# and everything in tinyllm, is held to it.

# %%
import numpy as np

import tinyllm as tl
from tinyllm import kernels, viz
from tinyllm.autograd import compare, numeric
from tinyllm.autograd.ops.activation import GeluTanh
from tinyllm.learn import build, claim, fig, predict, say
from tinyllm.learn.material.rules import RIGHT, WRONG, Steady, caught
from tinyllm.models import GPT, GPTConfig

# %% [markdown]
# ## A slope, by trying
#
# Move `x` a little and see what `f` does. That needs no mathematics, and it works for any function:
#
#     slope  =  (f(x + h) - f(x)) / h
#
# The smaller the step `h`, the better? On paper, yes.

# %% predict: how small a step
predict(
    "f is the exponential, x = 1, and all numbers have 16 digits. Which step gives the best slope by a difference?",
    ["h = 1e-1", "h = 1e-8", "h = 1e-15"],
    answer=1,
    because="A large step sees the curve bend. A tiny one subtracts two numbers that share nearly all their digits, "
    "and what is left is rounding.",
)

# %% four ways to try, at many steps
steps = 10.0 ** np.arange(-20, 0.0)
x, u = np.array(1.0), np.array(1.0)
slope = np.exp(1.0)  # of the exponential it is known
small = np.float32(1.0)
sideways = "complex step, float64"


def errors(way):
    return [float(abs(way(h) - slope) / slope) for h in steps]


tried = {
    "one side, float64": errors(lambda h: (np.exp(x + h) - np.exp(x)) / h),
    "both sides, float64": errors(lambda h: numeric.central_difference(np.exp, x, u, h)),
    "both sides, float32": errors(lambda h: (np.exp(small + np.float32(h)) - np.exp(small - np.float32(h))) / (2 * h)),
    sideways: errors(lambda h: numeric.complex_step(np.exp, x, u, h)),
}

# %% picture: a valley, and a line without one
data = viz.StepErrors(list(steps), tried, subtitle="the slope of exp at 1, tried in four ways")
fig(viz.draw_step_errors(data))

# %% [markdown]
# Read it from the right. While `h` shrinks, the error falls: the curve bends less. Then it turns and rises again: two
# values of `f` that are almost equal are subtracted, and their common digits are gone. Every difference has such a
# valley, and its floor is far above the last digit.
#
# Stepping to both sides makes the valley deeper. One line has no valley at all; we come to it in a minute.

# %%
best = {name: data.best(name) for name in tried}
(one_h, one), (both_h, both) = best["one side, float64"], best["both sides, float64"]
say(
    f"The best that one side can do is a step of {one_h:.0e}. Both sides do best at {both_h:.0e}, and their error is "
    f"{one / both:.0f} times smaller. In float32 no step is good: that is why gradients are never checked in it."
)
claim("both sides beat one, by a factor of", one / both, above=30)
claim("no step in float32 is right to six digits", best["both sides, float32"][1] > 1e-6)
claim("the complex step is right to fifteen digits, at every step below 1e-8", max(tried[sideways][:12]) < 1e-15)

# %% [markdown]
# From here on `x` has many entries, and we move it in a direction `u`, an array of the same shape.

# %% build: both sides
build("01.1")

# %% [markdown]
# ## Sideways
#
# What if nothing had to be subtracted? Step along the imaginary axis:
#
#     f(x + ih)  =  f(x) + ih f'(x) - h^2/2 f''(x) - ...
#
# The value stays in the real part, the slope goes into the imaginary part, and they never meet. So `h` may be so
# small that `h^2` is nothing: the [[complex step]] has no valley.

# %% build: sideways
build("01.2")

# %% [markdown]
# ## One entry at a time
#
# For a loss, which is a single number, the gradient is one slope for each entry of `x`. Move each by itself.

# %% build: every entry by itself
build("01.3")

# %% check: three ways, one gradient
point = np.random.default_rng(0).normal(size=(3, 5))


def loss(x):
    return (np.tanh(x) * np.arange(15).reshape(3, 5)).sum()


by_hand = np.arange(15).reshape(3, 5) / np.cosh(point) ** 2
claim("by both sides, right to eight digits", np.abs(numeric.numerical_grad(loss, point) - by_hand).max() < 1e-8)
claim("by the complex step, to thirteen", np.abs(numeric.complex_step_grad(loss, point) - by_hand).max() < 1e-13)

# %% predict: what it costs
gpt2 = 124_439_808
predict(
    f"The smallest GPT-2 has {gpt2:,} numbers. How often must its loss be calculated for one gradient this way?",
    ["twice", "once for each number", "twice for each number"],
    answer=2,
    because="Above and below, for every entry. A backward pass gets all of them for the price of about two forward "
    "passes. So trying is how we check, and going backward is how we train.",
)

# %% [markdown]
# ## Where trying and going backward meet
#
# A function from many numbers to many has a whole table of slopes, the [[Jacobian]] J. Neither side ever fills it in:
#
#     a step in direction u      knows   J u       what the outputs do
#     a backward rule, asked v   knows   v^T J     what the inputs get
#
#     and both know one number:          v^T J u
#
# The `v` that a backward rule is asked about is a [[cotangent]]: one weight for each output. So draw a `v`, ask the
# rule for `dx`, go along `u`, and compare `dx . u` with `v . (J u)`.

# %% predict: the usual check
predict(
    "Somebody's backward rule of softmax returns zeros, always. The usual test sums the outputs up, and compares the "
    "gradient of that sum with its slopes. What does it say?",
    ["wrong", "right"],
    answer=1,
    because="Probabilities sum to one whatever the scores are, so the sum has no slope, and zeros are the correct "
    "answer to a question that asks nothing. A sum is a cotangent of ones; yours will be random.",
)

# %% build: the check itself
build("01.4")

# %% [markdown]
# ## Who catches what
#
# Three checks now look at a list of wrong rules, each a mistake that somebody has made. The first is the usual test:
# a sum, and a tolerance of a hundredth. The second draws its cotangent but keeps the tolerance. The third is yours.


# %%
def usual(rule):
    v = np.ones(rule.f(rule.x).shape)
    slopes = [np.vdot(v, numeric.central_difference(rule.f, rule.x, u)) for u in rule.entries]
    return np.allclose(rule.pull_back(v).ravel(), slopes, rtol=1e-2, atol=1e-2)


def drawn(rule):
    v = Steady().unit(*rule.f(rule.x).shape)
    slopes = [np.vdot(v, numeric.central_difference(rule.f, rule.x, u)) for u in rule.entries]
    return np.allclose(rule.pull_back(v).ravel(), slopes, rtol=1e-2, atol=1e-2)


def yours(rule):
    return compare.compare(rule.f, rule.pull_back, rule.x, rule.entries, Steady(), numeric.complex_step, 1e-10)[0]


# %% picture: who catches what
checks = {"sum, 1e-2": usual, "random, 1e-2": drawn, "yours": yours}
marks = [list(row) for row in zip(*(caught(check) for check in checks.values()), strict=True)]
card = viz.Scorecard([rule.name for rule in WRONG], list(checks), marks, "Wrong rules, and who catches them")
fig(viz.draw_scorecard(card))

# %%
weak, better, all_of_them = card.counts()
say(
    f"A sum with a wide tolerance lets {len(WRONG) - weak} of {len(WRONG)} wrong rules through. A random cotangent "
    f"catches {better - weak} more of them. With a tolerance near rounding none is left."
)
claim("wrong rules that your check catches", all_of_them, near=len(WRONG))
claim("right rules that it takes", sum(yours(rule) for rule in RIGHT), near=len(RIGHT))
claim("wrong rules that the usual test lets through", len(WRONG) - weak, above=4)

# %% [markdown]
# ## A whole GPT
#
# A loss is a function like any other, even when a GPT is inside. `tl.gradcheck` calls your `compare` once for each of
# its parameters; the large ones are looked at along random directions.

# %% payoff: every parameter of a GPT
config = GPTConfig.preset("gpt2", vocab_size=13, block_size=8, n_layer=2, n_head=2, n_embd=16)
model = GPT(config, np.random.default_rng(4)).astype(np.float64)
idx = np.random.default_rng(5).integers(0, 13, size=(2, 9))
names, parameters = zip(*model.named_parameters(), strict=True)


def loss_of_it(*_):
    return model.loss(idx[:, :-1], idx[:, 1:])


with kernels.use("numpy"):
    report = tl.gradcheck(loss_of_it, list(parameters), names=names)
claim("parameters checked", len(report.findings), near=len(names))
claim("every gradient is right to nine digits", report.error < 1e-9)
say(f"{len(names)} arrays with {model.count_parameters():,} numbers in all are right, by {report.method}.")

# %% [markdown]
# Would it have seen a mistake? Make one: GELU's way back, a thousandth too large, deep inside of the model.

# %% payoff: and one with a thousandth too much
kept = GeluTanh.backward
GeluTanh.backward = lambda ctx, dy: 1.001 * kept(ctx, dy)
try:
    with kernels.use("numpy"):
        spoiled = tl.gradcheck(loss_of_it, list(parameters), names=names, raises=False)
finally:
    GeluTanh.backward = kept
wrong = [finding.argument for finding in spoiled.findings if not finding.ok]
claim("a thousandth too much is found", not spoiled)
say(
    f"{len(wrong)} of {len(names)} gradients are refused. Those that pass lie behind the GELU of the last layer, "
    f"where its mistake never comes by: {', '.join(name for name in names if name not in wrong)}."
)

# %% [markdown] explain: why a random question is enough
# A wrong rule answers `v^T J` wrongly for nearly every `v`. The cotangents that it gets right by accident are as rare
# as the points of a line in space: a `v` drawn at random is none of them. Only a `v` chosen by hand can be, and ones
# is the one that people choose.
#
# The check has a blind spot that no derivative can see: a forward pass that computes the wrong function, with the
# right derivative of that. So tinyllm holds its forward passes against values from elsewhere, and its slopes against
# yours.

# %% [markdown] next: where to go from here
# - **Break something:** change a rule in `tinyllm/learn/material/rules.py` and see which check notices.
# - **In your own work:** `tl.gradcheck(f, inputs)` takes any function of Tensors; it says which entry is wrong, and
#   what kind of mistake it looks like.
# - **Second derivatives:** `tl.hvp` sends a complex step through a whole backward pass.
# - **Next:** lesson 03 writes backward rules, and `tinyllm learn check 03 --judge mine` lets the check that you wrote
#   judge them beside ours. Lesson 04 uses them to learn from text.
