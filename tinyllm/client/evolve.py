"""A prompt that breeds: a seeded genetic search over instructions, formats, cues and examples.

    space = Space({"task": [...], "labels": [...], "cue": [...]}, examples=pool, most=3)
    result = optimize(space, write, ask, score, train, holdout, budget=Budget(calls=400), seed=0)
    print(result)              # the winner beside the prompt you had, on questions that the search never saw

A genome is one choice for each slot, and which examples are shown in which order. Each generation the fittest live on
(elitism), the rest are children: two parents, each the best of three drawn at random (tournament), every slot from one
or the other (uniform crossover), now and then a slot redrawn (mutation). Fitness is the mean score on a batch of
training questions, the same for all of a generation, less a little for length; what was asked once is not asked again.

The budget is checked before every call against the most that the call can cost, and ends the search with the best so
far. The holdout is read once, when all is over. "No improvement" is a result, and the usual one of a search that is too
short; ``random_search`` with the same budget says whether breeding was worth it.

Source: Holland 1975; Guo et al. 2023, arXiv:2309.08532 (prompts as genomes).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError
from .types import Message

TOURNAMENT, ELITE = 3, 2
Item = Any  # a question with its right answer, as ``write`` and ``score`` understand it


@dataclass(frozen=True, slots=True)
class Genome:
    """One prompt: for each slot which option, and which examples of the pool, in their order."""

    choices: tuple[int, ...]
    examples: tuple[int, ...] = ()


@dataclass(frozen=True)
class Space:
    """All prompts that can be made.

    Args:
        slots: name -> its options; the first of each is the prompt you have.
        examples: a pool of examples.
        most: how many of them are shown at most.

    Raises:
        ConfigError: a slot without options, or a number of examples below 0.

    Example:
        >>> space = Space({"task": ["Add.", "What is the sum?"], "cue": ["", "Think."]}, [("1 + 1", "2")], most=1)
        >>> space.said(Genome((1, 0), (0,)))
        {'task': 'What is the sum?', 'cue': '', 'examples': [('1 + 1', '2')]}
    """

    slots: Mapping[str, Sequence[Any]]
    examples: Sequence[Any] = ()
    most: int = 0

    def __post_init__(self) -> None:
        empty = next((name for name, options in self.slots.items() if not options), None)
        if empty is not None or not self.slots:
            raise ConfigError(f"Space: the slot {empty!r} has no options" if empty else "Space: there are no slots")
        if self.most < 0:
            raise ConfigError(f"Space: most={self.most}", hint="0 for no examples")

    @property
    def first(self) -> Genome:
        """The prompt you have: the first option everywhere, no examples."""
        return Genome((0,) * len(self.slots))

    def said(self, genome: Genome) -> dict[str, Any]:
        """Return what a genome stands for: slot -> option, and "examples"."""
        chosen = zip(self.slots.items(), genome.choices, strict=True)
        said = {name: options[choice] for (name, options), choice in chosen}
        return {**said, "examples": [self.examples[place] for place in genome.examples]}

    @property
    def longest(self) -> Genome:
        """The genome that says most: an upper bound of what a call can cost."""
        lengths = [[len(str(option)) for option in options] for options in self.slots.values()]
        choices = tuple(each.index(max(each)) for each in lengths)
        by_length = sorted(range(len(self.examples)), key=lambda place: -len(str(self.examples[place])))
        return Genome(choices, tuple(by_length[: self.most]))

    def drawn(self, rng: random.Random) -> Genome:
        """Draw a genome, every one as likely as its options are many."""
        choices = tuple(rng.randrange(len(options)) for options in self.slots.values())
        count = rng.randint(0, min(self.most, len(self.examples)))
        return Genome(choices, tuple(rng.sample(range(len(self.examples)), count)))

    def crossed(self, a: Genome, b: Genome, rng: random.Random) -> Genome:
        """Return a child: each slot from one parent or the other, and so the examples as a whole."""
        choices = tuple(rng.choice(pair) for pair in zip(a.choices, b.choices, strict=True))
        return Genome(choices, rng.choice((a.examples, b.examples)))

    def mutated(self, genome: Genome, rng: random.Random, rate: float) -> Genome:
        """Return it with each slot redrawn with a probability of ``rate``, and one example added, dropped or moved."""
        choices = tuple(
            rng.randrange(len(options)) if rng.random() < rate else choice
            for choice, options in zip(genome.choices, self.slots.values(), strict=True)
        )
        examples = list(genome.examples)
        if self.most and self.examples and rng.random() < rate:
            others = [place for place in range(len(self.examples)) if place not in examples]
            ways = ["add"] * bool(others and len(examples) < self.most) + ["drop"] * bool(examples)
            way = rng.choice([*ways, *["move"] * (len(examples) > 1)] or ["none"])
            if way == "add":
                examples.insert(rng.randint(0, len(examples)), rng.choice(others))
            elif way == "drop":
                examples.pop(rng.randrange(len(examples)))
            elif way == "move":
                examples.insert(rng.randrange(len(examples)), examples.pop(rng.randrange(len(examples))))
        return Genome(choices, tuple(examples))


@dataclass(slots=True)
class Budget:
    """What may be spent, and what was.

    Args:
        calls: how many at most.
        cost: in micro-dollars at most; None where calls cost nothing.
        each: the most that one call can cost, messages -> micro-dollars: an upper bound, known before it is made.
    """

    calls: int
    cost: int | None = None
    each: Callable[[Sequence[Message]], int] = lambda messages: 0
    spent_calls: int = 0
    spent_cost: int = 0

    def allows(self, messages: Sequence[Message]) -> bool:
        """Return whether one more call stays within both limits."""
        within = self.cost is None or self.spent_cost + self.each(messages) <= self.cost
        return within and self.spent_calls < self.calls

    def take(self, messages: Sequence[Message], cost: int | None = None) -> None:
        """Take note of a call: what it cost, or the most that it can have cost where nobody knows."""
        self.spent_calls += 1
        self.spent_cost += self.each(messages) if cost is None else cost


@dataclass(frozen=True, slots=True)
class Individual:
    """A genome in the family tree: its number, its parents' numbers, the generation it was born in, how fit it was."""

    number: int
    genome: Genome
    generation: int
    parents: tuple[int, ...]
    fitness: float


@dataclass(frozen=True)
class Result:
    """How a search ended.

    Attributes:
        best: the winner by training questions.
        said: what it says, slot by slot.
        tree: everybody that was born, in order.
        baseline, winner: mean score on the holdout of the prompt you had, and of the winner.
        low, high: interval of 95 % of their difference, question by question.
        calls, cost: what was spent, the holdout included.
        why: why it ended.
    """

    best: Genome
    said: Mapping[str, Any]
    tree: tuple[Individual, ...] = field(repr=False)
    baseline: float
    winner: float
    low: float
    high: float
    calls: int
    cost: int
    why: str

    @property
    def improved(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0

    def __str__(self) -> str:
        delta = self.winner - self.baseline
        verdict = "an improvement" if self.improved else "no improvement that can be shown"
        interval = f"95 % [{self.low:+.3f} {self.high:+.3f}]"
        told = f"{self.baseline:.3f} -> {self.winner:.3f} on the holdout ({delta:+.3f}, {interval})"
        return f"{told}: {verdict}; {self.calls} calls, {self.why}"


class _Spent(Exception):
    """The budget allows no further call."""


class _Trials:
    """Asks and scores, remembers everything, and stops before the budget is crossed."""

    def __init__(
        self,
        space: Space,
        write: Callable[[Mapping[str, Any], Item], Sequence[Message]],
        ask: Callable[[Sequence[Message]], Any],
        score: Callable[[str, Item], float],
        budget: Budget,
        penalty: float,
    ) -> None:
        self.space, self.write, self.ask, self.score, self.budget, self.penalty = (
            space,
            write,
            ask,
            score,
            budget,
            penalty,
        )
        self.known: dict[tuple[Genome, int], float] = {}

    def scored(self, genome: Genome, items: Sequence[Item], place: int) -> float:
        """Return the score of one question, asked at most once."""
        if (genome, place) not in self.known:
            messages = self.write(self.space.said(genome), items[place])
            if not self.budget.allows(messages):
                raise _Spent
            reply = self.ask(messages)
            self.budget.take(messages, getattr(reply, "cost", None))
            self.known[genome, place] = float(self.score(str(reply), items[place]))
        return self.known[genome, place]

    def fitness(self, genome: Genome, items: Sequence[Item], batch: Sequence[int]) -> float:
        """Return the mean score on a batch, less the penalty for every 100 characters of prompt."""
        mean = sum(self.scored(genome, items, place) for place in batch) / len(batch)
        length = sum(len(message.content) for message in self.write(self.space.said(genome), items[batch[0]]))
        return mean - self.penalty * length / 100


def optimize(
    space: Space,
    write: Callable[[Mapping[str, Any], Item], Sequence[Message]],
    ask: Callable[[Sequence[Message]], Any],
    score: Callable[[str, Item], float],
    train: Sequence[Item],
    holdout: Sequence[Item],
    *,
    budget: Budget,
    seed: int = 0,
    population: int = 12,
    generations: int = 10,
    batch: int = 8,
    rate: float = 0.25,
    penalty: float = 0.0,
    breed: bool = True,
) -> Result:
    """Search for a better prompt than the first of ``space``.

    Args:
        space: what can be said.
        write: (what a genome says, a question) -> messages.
        ask: messages -> an answer, a text or a Completion (whose ``cost`` counts).
        score: (the answer's text, the question) -> how good it is, higher being better.
        train: questions to search with.
        holdout: questions to judge the end with; none of them in ``train``.
        budget: the search stops before it is crossed; what the holdout will take is kept free.
        seed: of everything that is drawn: the same search again.
        population: how many live at a time.
        generations: at most.
        batch: training questions that a generation is measured on.
        rate: how often a slot mutates.
        penalty: what 100 characters of prompt cost in score.
        breed: without, every genome is drawn at random: the baseline to beat at equal budget.

    Raises:
        ConfigError: too few questions, questions in both parts, a budget that does not even pay for the holdout.
    """
    _refuse(train, holdout, budget, population, generations, batch)
    rng = random.Random(seed)
    kept = sum(2 * budget.each(write(space.said(space.longest), item)) for item in holdout)
    if budget.cost is not None and budget.cost <= kept:
        raise ConfigError(f"optimize: {budget.cost} micro-dollars do not pay for the holdout", hint=f"more than {kept}")
    search = Budget(budget.calls - 2 * len(holdout), None if budget.cost is None else budget.cost - kept, budget.each)
    trials = _Trials(space, write, ask, score, search, penalty)
    tree: list[Individual] = []
    alive: list[Individual] = []
    why = "all generations lived"
    try:
        for generation in range(generations):
            places = rng.sample(range(len(train)), min(batch, len(train)))
            alive = [
                Individual(
                    one.number, one.genome, one.generation, one.parents, trials.fitness(one.genome, train, places)
                )
                for one in alive
            ]
            for genome, parents in _children(space, alive, rng, population, rate, generation, breed):
                born = Individual(len(tree), genome, generation, parents, trials.fitness(genome, train, places))
                tree.append(born)
                alive.append(born)
            alive = sorted(alive, key=lambda one: (-one.fitness, one.number))[: population if breed else ELITE]
    except _Spent:
        why = "the budget is spent"
    best = _best(space, trials, tree)
    judged = _Trials(space, write, ask, score, Budget(2 * len(holdout), None, budget.each), 0.0)
    base, won = ([judged.scored(one, holdout, place) for place in range(len(holdout))] for one in (space.first, best))
    budget.spent_calls += search.spent_calls + judged.budget.spent_calls
    budget.spent_cost += search.spent_cost + judged.budget.spent_cost
    low, high = _interval([b - a for a, b in zip(base, won, strict=True)], seed)
    means = (sum(base) / len(base), sum(won) / len(won))
    return Result(best, space.said(best), tuple(tree), *means, low, high, budget.spent_calls, budget.spent_cost, why)


def random_search(*args: Any, **settings: Any) -> Result:
    """Draw prompts at random and keep the best, with the arguments and the budget of ``optimize``."""
    return optimize(*args, **settings, breed=False)


def _children(
    space: Space,
    alive: Sequence[Individual],
    rng: random.Random,
    population: int,
    rate: float,
    generation: int,
    breed: bool,
) -> list[tuple[Genome, tuple[int, ...]]]:
    """Return the genomes that are born in a generation, each with its parents' numbers."""
    if generation == 0:
        return [(space.first, ()), *((space.drawn(rng), ()) for _ in range(population - 1))]
    if not breed:
        return [(space.drawn(rng), ()) for _ in range(population)]
    held = {one.genome for one in alive}
    found: list[tuple[Genome, tuple[int, ...]]] = []
    for _ in range(10 * population):
        if len(found) == population - ELITE:
            break
        a, b = (max(rng.choices(alive, k=TOURNAMENT), key=lambda one: one.fitness) for _ in range(2))
        child = space.mutated(space.crossed(a.genome, b.genome, rng), rng, rate)
        if child not in held:
            held.add(child)
            found.append((child, (a.number, b.number)))
    return found


def _best(space: Space, trials: _Trials, tree: Sequence[Individual]) -> Genome:
    """Return the genome whose mean over all it was asked is highest, drawn towards the mean of all if that is little.

    The luckiest of many on eight questions is not the best: a score over n questions counts as n of n + 4.
    """
    if not trials.known:
        return space.first
    scores: dict[Genome, list[float]] = {}
    for (genome, _), value in trials.known.items():
        scores.setdefault(genome, []).append(value)
    middle = sum(map(sum, scores.values())) / len(trials.known)
    born = [one.genome for one in tree]
    order = {genome: place for place, genome in reversed(list(enumerate(born)))}
    return max(
        (genome for genome in scores if genome in order),
        key=lambda genome: ((sum(scores[genome]) + 4 * middle) / (len(scores[genome]) + 4), -order[genome]),
        default=space.first,
    )


def _interval(differences: Sequence[float], seed: int) -> tuple[float, float]:
    """Return the ends of a bootstrap interval of the mean."""
    from ..bootstrap import percentile

    found = percentile(differences, seed=seed)
    return found.low, found.high


def _refuse(
    train: Sequence[Item], holdout: Sequence[Item], budget: Budget, population: int, generations: int, batch: int
) -> None:
    if len(train) < 2 or len(holdout) < 2:
        raise ConfigError(
            f"optimize: {len(train)} questions to train, {len(holdout)} held out", hint="ten of each, or more"
        )
    if any(item in holdout for item in train):
        raise ConfigError("optimize: a question is in train and in the holdout", hint="each in one of them")
    if population <= ELITE or generations < 1 or batch < 1:
        raise ConfigError(
            f"optimize: population={population}, generations={generations}, batch={batch}",
            hint=f"a population above {ELITE}, the others above 0",
        )
    if budget.calls <= 2 * len(holdout):
        raise ConfigError(
            f"optimize: {budget.calls} calls do not pay for the holdout",
            hint=f"more than {2 * len(holdout)}, twice its size",
        )
