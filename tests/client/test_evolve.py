"""The optimizer: seeded, within its budget, judged on what it never saw, and held against drawing at random."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.evolve import Budget, Genome, Space, optimize, random_search
from tinyllm.client.types import Completion, Message
from tinyllm.errors import ConfigError

SPACE = Space({f"s{n}": list("abcdef") for n in range(6)}, examples=list(range(5)), most=2)
WANTED = "cdafeb"
TRAIN, HOLDOUT = range(40), range(100, 140)


def write(said, item):
    return [Message("user", "".join(said[f"s{n}"] for n in range(6)) + f" {len(said['examples'])} {item}")]


def ask(messages):
    return messages[0].content


def score(reply, item):
    """How much of the wanted prompt is there, with noise that depends on the question."""
    right = sum(a == b for a, b in zip(reply[:6], WANTED, strict=True)) / 6
    return right + 0.1 * random.Random(f"{reply}{item}").random()


def search(kind=optimize, seed=0, calls=900, **changes):
    options = {"population": 12, "generations": 40, "batch": 4, "budget": Budget(calls), "seed": seed, **changes}
    return kind(SPACE, write, ask, score, TRAIN, HOLDOUT, **options)


def test_it_finds_a_better_prompt_and_says_how_sure_it_is():
    found = search()
    assert (
        found.improved
        and found.winner > found.baseline + 0.3
        and found.low < found.winner - found.baseline < found.high
    )
    assert "an improvement" in str(found) and found.said["s0"] == SPACE.slots["s0"][found.best.choices[0]]


def test_it_beats_drawing_at_random_for_the_same_calls():
    bred = [search(seed=seed) for seed in range(5)]
    drawn = [search(random_search, seed=seed) for seed in range(5)]
    assert all(abs(a.calls - b.calls) <= 12 for a, b in zip(bred, drawn, strict=True))
    assert sum(a.winner for a in bred) / 5 > sum(b.winner for b in drawn) / 5 + 0.1


def test_the_same_seed_the_same_search():
    a, b, c = search(seed=1), search(seed=1), search(seed=2)
    assert a == b and a.tree == b.tree and a.tree != c.tree


def test_where_nothing_helps_it_says_so():
    found = optimize(SPACE, write, ask, lambda reply, item: float(item % 2), TRAIN, HOLDOUT, budget=Budget(600))
    assert not found.improved and found.low <= 0 <= found.high and "no improvement that can be shown" in str(found)


def test_calls_and_money_are_never_crossed():
    for calls in (90, 137, 300):
        made: list[int] = []

        def counted(messages, made=made):
            made.append(1)
            return ask(messages)

        found = optimize(SPACE, write, counted, score, TRAIN, HOLDOUT, budget=Budget(calls))
        assert len(made) == found.calls <= calls
    priced = Budget(10_000, cost=5_000, each=lambda messages: 30)
    found = search(budget=priced)
    assert found.cost <= 5_000 and found.why == "the budget is spent" and priced.spent_cost == found.cost
    cheap = Budget(10_000, cost=5_000, each=lambda messages: 30)
    found = optimize(
        SPACE,
        write,
        lambda messages: Completion(ask(messages), cost=3),
        score,
        TRAIN,
        HOLDOUT,
        budget=cheap,
        generations=5,
    )
    assert found.cost == 3 * found.calls and found.why == "all generations lived"


def test_nothing_is_asked_twice_and_the_holdout_only_at_the_end():
    asked = []
    optimize(SPACE, write, lambda m: asked.append(m[0].content) or ask(m), score, TRAIN, HOLDOUT, budget=Budget(500))
    assert len(set(asked)) == len(asked)
    last = [int(text.split()[-1]) >= 100 for text in asked]
    assert last == sorted(last) and sum(last) in (40, 80)


def test_the_family_tree():
    found = search()
    assert [one.number for one in found.tree] == list(range(len(found.tree)))
    assert found.tree[0].genome == SPACE.first and not found.tree[0].parents
    for one in found.tree:
        assert all(parent < one.number for parent in one.parents) and (one.generation == 0) == (not one.parents)


def test_length_costs():
    space = Space({"task": ["short", "long " * 50]})
    found = optimize(
        space, lambda said, item: [Message("user", said["task"])], ask, lambda reply, item: 0.5, TRAIN, HOLDOUT,
        budget=Budget(500), penalty=0.1, population=4,
    )  # fmt: skip
    fit = {one.genome.choices[0]: one.fitness for one in found.tree}
    assert fit[0] > fit[1]


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_every_genome_that_is_bred_can_be_said(seed, rate):
    rng = random.Random(seed)
    a, b = SPACE.drawn(rng), SPACE.drawn(rng)
    for one in (a, b, child := SPACE.crossed(a, b, rng), SPACE.mutated(child, rng, rate)):
        assert len(SPACE.said(one)) == 7
        assert len(one.examples) <= SPACE.most and len(set(one.examples)) == len(one.examples)
    assert all(c in pair for c, pair in zip(child.choices, zip(a.choices, b.choices, strict=True), strict=True))
    assert SPACE.mutated(child, rng, 0.0) == child


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": [1]}, "1 questions to train"),
        ({"train": [1, 100]}, "in train and in the holdout"),
        ({"budget": Budget(80)}, "do not pay for the holdout"),
        ({"budget": Budget(900, 100, lambda messages: 9)}, "100 micro-dollars do not pay"),
        ({"population": 2}, "population=2"),
    ],
)
def test_what_cannot_be_searched(changes, words):
    parts = {"train": changes.pop("train", TRAIN), "holdout": HOLDOUT}
    with pytest.raises(ConfigError, match=words):
        optimize(SPACE, write, ask, score, **parts, **{"budget": Budget(900), **changes})


def test_spaces_that_are_none():
    with pytest.raises(ConfigError, match="'a' has no options"):
        Space({"a": []})
    with pytest.raises(ConfigError, match="no slots"):
        Space({})
    with pytest.raises(ConfigError, match="most=-1"):
        Space({"a": ["x"]}, most=-1)
    assert Space({"a": ["x"]}).first == Genome((0,))
