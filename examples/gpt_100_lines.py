"""A GPT in 100 lines: tensors, layers and AdamW are tinyllm's, the rest is in plain sight.

    python gpt_100_lines.py                  learns to tell stories of three sentences
    python gpt_100_lines.py book.txt 2000    learns from a text of yours, in so many steps

Axes: B batch, T time, C channels, H heads, D channels of one head, V vocabulary.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import tinyllm as tl
from tinyllm import nn
from tinyllm.learn.material.stories import stories

T, C, H, L = 96, 64, 4, 2  # longest context, width, heads, layers
B, LR = 16, 4e-3  # texts in a batch, learning rate at its highest


class Block(nn.Module):
    """One layer: positions exchange what they know, then each thinks by itself."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.norm1, self.norm2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.qkv, self.out = nn.Linear(C, 3 * C, rng=rng), nn.Linear(C, C, rng=rng)
        self.up, self.down = nn.Linear(C, 4 * C, rng=rng), nn.Linear(4 * C, C, rng=rng)

    def forward(self, x: tl.Tensor) -> tl.Tensor:
        """Add to x (B, T, C) what the others have to say, and what follows from that."""
        x = x + self.attention(self.norm1(x))
        return x + self.down(self.up(self.norm2(x)).gelu())

    def attention(self, x: tl.Tensor) -> tl.Tensor:
        """Give each position a mean of the values up to its own, weighted by query times key."""
        B, T, C = x.shape
        D = C // H
        q, k, v = self.qkv(x).reshape(B, T, 3, H, D).transpose(2, 0, 3, 1, 4)  # (B, H, T, D)
        scores = q @ k.swapaxes(-1, -2) / D**0.5  # (B, H, T, T)
        future = np.triu(np.ones((T, T), dtype=bool), 1)
        y = scores.masked_fill(future, -np.inf).softmax() @ v  # (B, H, T, D)
        return self.out(y.swapaxes(1, 2).reshape(B, T, C))


class GPT(nn.Module):
    """From a token to scores of the next: vectors for it and its place, the blocks, the head."""

    def __init__(self, V: int, rng: np.random.Generator) -> None:
        small = nn.init.normal(0.02)
        self.token = nn.Embedding(V, C, rng=rng, init=small)
        self.place = nn.Embedding(T, C, rng=rng, init=small)
        self.blocks = [Block(rng) for _ in range(L)]
        self.norm = nn.LayerNorm(C)
        self.head = nn.Linear(C, V, rng=rng, init=small)

    def forward(self, ids: np.ndarray) -> tl.Tensor:
        """Return the logits (B, T, V) of what comes after each of ids (B, T)."""
        x = self.token(ids) + self.place(np.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def train(model: GPT, ids: np.ndarray, steps: int, rng: np.random.Generator) -> None:
    """Ask for every next token of random windows of ids; move the weights against the gradient."""
    optimizer = nn.optim.AdamW(model.parameters(), lr=LR)
    lr = nn.schedules.warmup_cosine(LR, LR / 10, warmup=steps // 20, steps=steps)
    for step in range(steps):
        window = ids[rng.integers(len(ids) - T, size=(B, 1)) + np.arange(T + 1)]  # (B, T + 1)
        loss = tl.cross_entropy(model(window[:, :-1]), window[:, 1:])
        model.zero_grad()
        loss.backward()
        nn.clip_grad_norm(model.parameters(), 1.0)
        optimizer.step(lr=lr(step))
        if step % max(1, steps // 10) == 0 or step == steps - 1:
            print(f"step {step:4}  loss {loss.item():.3f}", flush=True)


def sample(model: GPT, ids: list[int], n: int, rng: np.random.Generator) -> list[int]:
    """Continue ids by n tokens, each drawn from what the model thinks of those before."""
    with tl.no_grad():
        for _ in range(n):
            logits = model(np.array([ids[-T:]]))[0, -1]  # (V,)
            p = logits.softmax().data.astype(float)
            ids = [*ids, int(rng.choice(len(p), p=p / p.sum()))]
    return ids


def main(file: str | None = None, steps: str = "500") -> None:
    """Read, train, write."""
    rng = np.random.default_rng(0)
    text = Path(file).read_text("utf-8") if file else "\n".join(stories(rng, 2000))
    chars = sorted(set(text))  # a token is a character
    ids = np.array([chars.index(char) for char in text])
    model = GPT(len(chars), rng)
    print(f"{model.count_parameters():,} weights, {len(ids):,} characters, {len(chars)} kinds")
    train(model, ids, int(steps), rng)
    print("".join(chars[i] for i in sample(model, [int(ids[0])], 300, rng)))


if __name__ == "__main__":
    main(*sys.argv[1:])
