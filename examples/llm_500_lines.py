"""A language model in one file: autograd, tokenizer, GPT, training and sampling, on NumPy alone.

    python llm_500_lines.py check                             every gradient, by its definition
    python llm_500_lines.py train book.txt --out book.npz     any text; if none, Python's manual
    python llm_500_lines.py sample book.npz --prompt "The "   let it write

It reads from top to bottom; each part needs only those above it. The letters of the axes are

    B batch   T time: new tokens   S time: all tokens seen   V vocabulary   L layers
    C channels   H heads   D channels of one head   F channels inside of the MLP

and a gradient has the name of what it belongs to: dy is the derivative of the loss by y.
"""

from __future__ import annotations

import argparse
import codecs
import functools
import itertools
import math
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

Array = np.ndarray

# ---- 1. Autograd: an array remembers what it was made from, so gradients can find their way back


class Tensor:
    """An array; and, if an op made it, the op's inputs and how their gradients follow from dy."""

    numbers = itertools.count()

    def __init__(self, data: Array, inputs: tuple = (), pullback: Callable | None = None) -> None:
        self.data, self.inputs, self.pullback = data, inputs, pullback
        self.grad: Array | None = None  # only leaves get one: tensors that no op has made
        self.number = next(Tensor.numbers)  # the place on the tape: after all of its inputs

    def backward(self, dy: Array | float = 1.0) -> None:
        """Add to the grad of every leaf the derivative of sum(dy * self)."""
        reached, todo = {self}, [self]
        while todo:
            new = {x for x in todo.pop().inputs if isinstance(x, Tensor)} - reached
            reached |= new
            todo += new
        grads = {self: np.full(self.data.shape, dy, self.data.dtype)}
        for y in sorted(reached, key=lambda y: y.number, reverse=True):  # the tape, backwards
            dy = grads.pop(y)
            if y.pullback is None:
                y.grad = dy if y.grad is None else y.grad + dy
                continue
            for x, dx in zip(y.inputs, y.pullback(dy), strict=False):  # without the constants
                if isinstance(x, Tensor):
                    dx = unbroadcast(dx, x.data.shape)
                    grads[x] = grads[x] + dx if x in grads else dx


def unbroadcast(dx: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which an input of this shape had been repeated."""
    if dx.shape == shape:
        return dx
    dx = dx.sum(axis=tuple(range(dx.ndim - len(shape))))
    return dx.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


# ---- 2. Ops: each returns its result, and the pullback from dy to a tuple of its inputs' gradients


def op(rule: Callable[..., tuple[Array, Callable]]) -> Callable[..., Tensor]:
    """Make a function of tensors of a rule for arrays; constants come last and get no gradient."""

    def apply(*inputs: Tensor | Array | float) -> Tensor:
        y, pullback = rule(*(x.data if isinstance(x, Tensor) else x for x in inputs))
        return Tensor(y, inputs, pullback)

    return apply


add = op(lambda a, b: (a + b, lambda dy: (dy, dy)))
mul = op(lambda a, b: (a * b, lambda dy: (dy * b, dy * a)))
matmul = op(lambda a, b: (a @ b, lambda dy: (dy @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ dy)))
reshape = op(lambda x, shape: (x.reshape(shape), lambda dy: (dy.reshape(x.shape),)))
swapaxes = op(lambda x, i, j: (x.swapaxes(i, j), lambda dy: (dy.swapaxes(i, j),)))

Tensor.__add__, Tensor.__mul__, Tensor.__matmul__ = add, mul, matmul  # a + b is add(a, b)


@op
def take(table, ids):
    """Look up the row of each id; a row that was read twice receives two gradients."""

    def pullback(dy):
        dtable = np.zeros_like(table)
        np.add.at(dtable, ids, dy)
        return (dtable,)

    return table[ids], pullback


@op
def silu(x):
    """x sigmoid(x): a ReLU with a round corner."""
    s = 0.5 + 0.5 * np.tanh(0.5 * x)  # the sigmoid, without an exp that could overflow
    return x * s, lambda dy: (dy * s * (1 + x * (1 - s)),)


@op
def rms_norm(x):
    """Bring every vector to a mean square of 1; the gradient loses its part along the vector."""
    r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    y = x * r
    return y, lambda dy: (r * (dy - y * (dy * y).mean(-1, keepdims=True)),)


@op
def softmax(x):
    """Turn scores into probabilities; subtracting the greatest only prevents an overflow."""
    e = np.exp(x - x.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    return p, lambda dp: (p * (dp - (dp * p).sum(-1, keepdims=True)),)


@op
def rope(x, start):
    """Turn channels i and i + D/2 of x (..., T, D) by an angle that grows with the position.

    The product of a query and a key, both turned, knows only their distance. Backward turns back.
    """
    T, D = x.shape[-2:]
    angles = np.outer(start + np.arange(T), 10000.0 ** (-np.arange(0, D, 2) / D))  # (T, D/2)
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)

    def turn(x, sin):
        a, b = np.split(x, 2, axis=-1)
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    return turn(x, sin), lambda dy: (turn(dy, -sin),)


@op
def cross_entropy(logits, targets):
    """Mean of -log softmax(logits) at the targets; its gradient is p, and p - 1 at the target."""
    z = logits - logits.max(-1, keepdims=True)  # (B, T, V)
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    at_target = np.arange(logits.shape[-1]) == targets[..., None]  # (B, T, V)
    return -log_p[at_target].mean(), lambda dy: ((np.exp(log_p) - at_target) * (dy / targets.size),)


# ---- 3. The tokenizer: text is bytes, and pairs of neighbors that are frequent become one token

# what a token may not reach across: a word, signs or spaces; together they are the whole text
WORDS = re.compile(r" ?\w+| ?[^\w\s]+|\s+(?!\S)|\s+")


class Tokenizer:
    """Byte-pair encoding: ids below 256 are bytes, 256 + i is the two ids of merge i, joined."""

    def __init__(self, merges: list[tuple[int, int]]) -> None:
        self.merges = {pair: 256 + i for i, pair in enumerate(merges)}
        self.bytes = [bytes([i]) for i in range(256)]
        for left, right in merges:
            self.bytes.append(self.bytes[left] + self.bytes[right])

    @classmethod
    def train(cls, text: str, vocab_size: int) -> Tokenizer:
        """Join the most frequent pair of neighbors, again and again, until tokens are enough."""
        words = Counter(WORDS.findall(text))
        times, spelled = list(words.values()), [list(word.encode()) for word in words]
        counts: Counter = Counter()  # pair -> how often it occurs
        where = defaultdict(set)  # pair -> the words it occurs in, or did

        def count(i: int, sign: int) -> None:
            for pair in itertools.pairwise(spelled[i]):
                counts[pair] += sign * times[i]
                where[pair].add(i)

        for i in range(len(spelled)):
            count(i, +1)
        merges: list[tuple[int, int]] = []
        for new in range(256, vocab_size):
            pair = max(counts, key=counts.__getitem__, default=None)
            if counts[pair] < 2:  # nothing left to gain
                break
            for i in list(where[pair]):  # the other words stay as they are
                count(i, -1)
                spelled[i] = join(spelled[i], pair, new)
                count(i, +1)
            merges.append(pair)
        return cls(merges)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text: in every word, the pair learned first is joined first."""
        known: dict[str, list[int]] = {}
        for word in set(WORDS.findall(text)):
            ids = list(word.encode())
            while pairs := [pair for pair in itertools.pairwise(ids) if pair in self.merges]:
                first = min(pairs, key=self.merges.__getitem__)
                ids = join(ids, first, self.merges[first])
            known[word] = ids
        return [i for word in WORDS.findall(text) for i in known[word]]

    def decode(self, ids: list[int]) -> bytes:
        """Return the bytes that the ids stand for; of an encoded text, exactly its own."""
        return b"".join(self.bytes[i] for i in ids)


def join(ids: list[int], pair: tuple[int, int], new: int) -> list[int]:
    """Put the new id in the place of each occurrence of the pair, from left to right."""
    out: list[int] = []
    for i in ids:
        if out and (out[-1], i) == pair:
            out[-1] = new
        else:
            out.append(i)
    return out


# ---- 4. The GPT: each token is a vector, to which each layer adds; what it became names the next


@dataclass(frozen=True)
class Config:
    """The sizes of a GPT: V, the longest T, L, H and C."""

    vocab_size: int = 512
    block_size: int = 64
    n_layer: int = 3
    n_head: int = 3
    n_embd: int = 96

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name every weight and tell its shape; matrices are (in, out)."""
        C = self.n_embd
        F = -(-C // 3) * 8  # about 8/3 C: three matrices, as large as a plain MLP's two of 4 C
        shapes: dict[str, tuple[int, ...]] = {"wte": (self.vocab_size, C), "norm": (C,)}
        for l in range(self.n_layer):
            shapes |= {f"{l}.norm1": (C,), f"{l}.q": (C, C), f"{l}.k": (C, C), f"{l}.v": (C, C)}
            shapes |= {f"{l}.out": (C, C), f"{l}.norm2": (C,)}
            shapes |= {f"{l}.gate": (C, F), f"{l}.up": (C, F), f"{l}.down": (F, C)}
        return shapes


class GPT:
    """A transformer of Llama's kind: RMSNorm, RoPE, SwiGLU, no biases; wte is also the head.

    A cache, where one is given, is a dictionary; it holds each layer's keys and values (B, H, S, D)
    of the tokens read so far, and is extended by those of the tokens that are read now.
    """

    def __init__(self, config: Config, rng: np.random.Generator) -> None:
        self.config = config
        self.weights: dict[str, Tensor] = {}
        for name, shape in config.shapes().items():
            adds = name.endswith(("out", "down"))  # 2 L such results add up, so each starts smaller
            scale = 0.02 / math.sqrt(2 * config.n_layer) if adds else 0.02
            start = np.ones(shape) if len(shape) == 1 else rng.normal(0, scale, shape)
            self.weights[name] = Tensor(start.astype(np.float32))

    def __call__(self, ids: Array, cache: dict | None = None) -> Tensor:
        """Return the logits (B, T, V) of what comes after each of ids (B, T)."""
        w = self.weights
        x = take(w["wte"], ids)  # (B, T, C)
        for l in range(self.config.n_layer):
            x = x + self.attention(l, rms_norm(x) * w[f"{l}.norm1"], cache)
            x = x + self.mlp(l, rms_norm(x) * w[f"{l}.norm2"])
        return (rms_norm(x) * w["norm"]) @ swapaxes(w["wte"], 0, 1)  # (B, T, V)

    def attention(self, l: int, x: Tensor, cache: dict | None) -> Tensor:
        """Give each position a mean of the values up to its own, weighted by query times key."""
        (B, T, C), H = x.data.shape, self.config.n_head
        D = C // H
        q, k, v = (
            swapaxes(reshape(x @ self.weights[f"{l}.{name}"], (B, T, H, D)), 1, 2) for name in "qkv"
        )  # (B, H, T, D)
        past = cache[l][0].shape[2] if cache and l in cache else 0
        q, k = rope(q, past), rope(k, past)
        if past:  # then T new ones follow it
            k = Tensor(np.concatenate([cache[l][0], k.data], axis=2))  # (B, H, S, D)
            v = Tensor(np.concatenate([cache[l][1], v.data], axis=2))
        if cache is not None:
            cache[l] = k.data, v.data
        hidden = np.triu(np.full((T, past + T), -np.inf, x.data.dtype), past + 1)  # the future
        scores = (q * D**-0.5) @ swapaxes(k, -1, -2) + hidden  # (B, H, T, S)
        y = swapaxes(softmax(scores) @ v, 1, 2)  # (B, T, H, D)
        return reshape(y, (B, T, C)) @ self.weights[f"{l}.out"]

    def mlp(self, l: int, x: Tensor) -> Tensor:
        """Let each position think by itself: widen, let one half gate the other, narrow."""
        w = self.weights
        return (silu(x @ w[f"{l}.gate"]) * (x @ w[f"{l}.up"])) @ w[f"{l}.down"]


# ---- 5. The gradient check: what backward() says, beside what happens when an input moves


def gradient_error(f: Callable, inputs: list[Tensor], rng: np.random.Generator) -> float:
    """Return the greatest error of backward() through f, relative to the greatest slope.

    The slopes are central differences in float64. The result is weighted at random before it is
    summed: with equal weights all slopes of softmax would be 0, and a wrong gradient could hide.
    """
    y = f(*inputs)
    weights = rng.normal(size=y.data.shape)
    y.backward(weights)
    errors, h = [], 1e-5
    for x in inputs:
        slopes = np.zeros_like(x.data)
        for i in np.ndindex(x.data.shape):
            here = x.data[i]
            for side in (+1, -1):
                x.data[i] = here + side * h
                slopes[i] += side * (f(*inputs).data * weights).sum() / (2 * h)
            x.data[i] = here
        errors.append(abs(x.grad - slopes).max() / abs(slopes).max())
    return np.max(errors)  # not a number, if one is not


def check() -> bool:
    """Check each op, broadcasting included, and then a tiny GPT in all of its weights."""
    rng = np.random.default_rng(0)
    ids = np.array([[1, 2, 1, 5, 3], [4, 0, 6, 2, 4]])
    gpt = GPT(Config(vocab_size=7, block_size=5, n_layer=2, n_head=2, n_embd=4), rng)
    for w in gpt.weights.values():
        w.data = rng.normal(size=w.data.shape)
    cases = {  # what, and the shapes of its inputs
        "add": (add, (2, 3, 5), (3, 1)),
        "mul": (mul, (2, 3, 5), (5,)),
        "matmul": (matmul, (2, 3, 5), (5, 7)),
        "reshape": (lambda x: reshape(x, (3, 10)), (2, 3, 5)),
        "swapaxes": (lambda x: swapaxes(x, 0, 2), (2, 3, 5)),
        "take": (lambda table: take(table, ids), (7, 3)),
        "silu": (silu, (2, 5)),
        "rms_norm": (rms_norm, (2, 3, 5)),
        "softmax": (softmax, (2, 3, 5)),
        "rope": (lambda x: rope(x, 3), (2, 5, 6)),
        "cross_entropy": (lambda x: cross_entropy(x, ids), (2, 5, 7)),
        "GPT": (lambda *_: cross_entropy(gpt(ids), ids[:, ::-1]), *gpt.weights.values()),
    }
    right = True
    for name, (f, *inputs) in cases.items():
        tensors = [x if isinstance(x, Tensor) else Tensor(rng.normal(size=x)) for x in inputs]
        error = gradient_error(f, tensors, rng)
        right &= error < 1e-6
        print(f"{name:15} error {error:.0e}  {'ok' if error < 1e-6 else 'WRONG'}")
    return right


# ---- 6. Training: ask for every next token of a text, move all weights against the gradient


class AdamW:
    """Move each weight by about lr against a running mean of its gradients; matrices also decay."""

    def __init__(self, weights: list[Tensor]) -> None:
        self.weights, self.steps = weights, 0
        self.m = [np.zeros_like(w.data) for w in weights]  # running mean of g
        self.v = [np.zeros_like(w.data) for w in weights]  # running mean of g^2

    def step(self, lr: float, beta1: float = 0.9, beta2: float = 0.95, decay: float = 0.1) -> None:
        """Take a step, with a gradient of length 1 at most (over all weights), and forget it."""
        self.steps += 1
        length = math.sqrt(sum(float((w.grad**2).sum()) for w in self.weights))
        for w, m, v in zip(self.weights, self.m, self.v, strict=True):
            g = w.grad / max(1.0, length)
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g * g - v)
            m_hat, v_hat = m / (1 - beta1**self.steps), v / (1 - beta2**self.steps)
            if w.data.ndim > 1:
                w.data *= 1 - lr * decay
            w.data -= lr * m_hat / (np.sqrt(v_hat) + 1e-8)
            w.grad = None


def cosine(step: int, steps: int, lr: float) -> float:
    """Climb to lr in a twentieth of the steps; then half a cosine leads down to a tenth of it."""
    return lr * min(20 * (step + 1) / steps, 0.55 + 0.45 * math.cos(math.pi * step / steps))


def draw(ids: Array, B: int, T: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Cut B windows (B, T) out of ids, and the same windows one token later: the targets."""
    at = rng.integers(len(ids) - T, size=(B, 1)) + np.arange(T)
    return ids[at], ids[at + 1]


def evaluate(gpt: GPT, ids: Array) -> float:
    """Return the mean loss over eight batches of ids, the same ones each time."""
    rng = np.random.default_rng(1)
    batches = [draw(ids, 16, gpt.config.block_size, rng) for _ in range(8)]
    return float(np.mean([cross_entropy(gpt(x), y).data for x, y in batches]))


def train(gpt: GPT, ids: Array, unseen: Array, steps: int, B: int, lr: float, seed: int) -> None:
    """Train on ids, and print now and then the loss there and on the unseen ones."""
    rng, T = np.random.default_rng(seed), gpt.config.block_size
    optimizer = AdamW(list(gpt.weights.values()))
    began = time.perf_counter()
    for step in range(steps):
        x, y = draw(ids, B, T, rng)
        loss = cross_entropy(gpt(x), y)
        loss.backward()
        optimizer.step(cosine(step, steps, lr))
        if (step + 1) % max(1, steps // 10) == 0:
            speed = (step + 1) * B * T / (time.perf_counter() - began)
            losses = f"loss {loss.data:.3f}  unseen {evaluate(gpt, unseen):.3f}"
            print(f"step {step + 1:5}  {losses}  {speed:,.0f} tokens/s", flush=True)


# ---- 7. Sampling: choose a token, read it, choose the next


def choose(logits: Array, temperature: float, top_k: int, rng: np.random.Generator) -> int:
    """Draw a token from softmax(logits / temperature), among the top_k best; 0 takes the best.

    Gumbel's trick: the greatest of logits to which his noise is added is a draw from their softmax.
    """
    kept = logits >= np.sort(logits)[-top_k:][0]
    noisy = logits / max(temperature, 1e-9) + rng.gumbel(size=len(logits))
    return int(np.where(kept, noisy, -np.inf).argmax())


def sample(gpt: GPT, ids: list[int], n: int, pick: Callable[[Array], int]) -> Iterator[int]:
    """Yield n tokens that continue ids; pick finds each in its logits (V,)."""
    T = gpt.config.block_size
    ids, unread, cache = list(ids), ids[-T:], {}
    for _ in range(n):
        if cache and cache[0][0].shape[2] == T:  # full: begin again with the latter half
            unread, cache = ids[-(T + 1) // 2 :], {}
        unread = [pick(gpt(np.array([unread]), cache).data[0, -1])]
        ids += unread
        yield unread[0]


# ---- 8. Files and the command line


def save(path: str, gpt: GPT, tokenizer: Tokenizer) -> None:
    """Write sizes, merges and weights, all of them plain arrays."""
    merges = np.array(list(tokenizer.merges), int).reshape(-1, 2)
    weights = {name: w.data for name, w in gpt.weights.items()}
    with open(path, "wb") as file:
        np.savez(file, sizes=astuple(gpt.config), merges=merges, **weights)


def load(path: str) -> tuple[GPT, Tokenizer]:
    """Read what save has written; nothing in the file is executed."""
    with np.load(path, allow_pickle=False) as file:
        gpt = GPT(Config(*file["sizes"].tolist()), np.random.default_rng(0))
        for name, w in gpt.weights.items():
            w.data = file[name]
        return gpt, Tokenizer([(left, right) for left, right in file["merges"].tolist()])


def main(words: list[str] | None = None) -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description="A language model in one file, on NumPy alone.")
    parser.add_argument("command", choices=["check", "train", "sample"])
    parser.add_argument("file", nargs="?", help="the text to learn from, or the model that writes")
    options = {"out": "model.npz", "steps": 600, "batch": 16, "lr": 3e-3, **asdict(Config())}
    options |= {"prompt": "The ", "tokens": 200, "temperature": 0.8, "top_k": 50, "seed": 0}
    for name, default in options.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"{default!r}")
    args = parser.parse_args(words)
    rng = np.random.default_rng(args.seed)
    if args.command == "check":
        sys.exit(0 if check() else "a gradient is wrong")
    elif args.command == "train":
        text = Path(args.file).read_text("utf-8") if args.file else "\n".join(topics.values())
        cut = len(text) * 9 // 10
        tokenizer = Tokenizer.train(text[:cut], args.vocab_size)
        seen, unseen = (np.array(tokenizer.encode(part)) for part in (text[:cut], text[cut:]))
        if len(unseen) <= args.block_size:
            sys.exit(f"the last tenth of the text, {len(unseen)} tokens, is no longer than a block")
        args.vocab_size = len(tokenizer.bytes)  # a short text has fewer pairs to join
        gpt = GPT(Config(**{name: getattr(args, name) for name in asdict(Config())}), rng)
        size = sum(w.data.size for w in gpt.weights.values())
        print(f"{size:,} weights, {len(seen):,} tokens, {cut / len(seen):.2f} characters in each")
        train(gpt, seen, unseen, args.steps, args.batch, args.lr, args.seed)
        save(args.out, gpt, tokenizer)
    else:
        gpt, tokenizer = load(args.file or args.out)
        utf8 = codecs.getincrementaldecoder("utf-8")("replace")  # waits for the rest of a character
        print(args.prompt, end="")
        pick = functools.partial(choose, temperature=args.temperature, top_k=args.top_k, rng=rng)
        for token in sample(gpt, tokenizer.encode(args.prompt or "\n"), args.tokens, pick):
            print(utf8.decode(tokenizer.decode([token])), end="", flush=True)
        print(utf8.decode(b"", final=True))


if __name__ == "__main__":
    main()
