"""What an answer costs, in whole micro-dollars, and a budget that stops before it is crossed.

    tokens x (micro-dollars for a million tokens) = pico-dollars        exact, so that they add up
    pico-dollars / 1,000,000, rounded up          = micro-dollars       once, at the end

Prices are rows of data with a day on which they were looked at. What is not in the table is unknown, and the cost of
something unknown is None, never 0: a sum that leaves it out would be a lie with a dollar sign.
"""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from ..errors import ConfigError
from .errors import BudgetExceededError
from .types import Usage

PICO = 1_000_000  # pico-dollars in a micro-dollar
STALE_DAYS = 90
_DATED = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$")  # a model's name, of one day or of the newest
_NUMBERS = ("input", "output", "cache_read", "cache_write", "reasoning")


class StalePriceWarning(UserWarning):
    """A price that nobody has looked at for longer than 90 days."""


@dataclass(frozen=True, slots=True)
class Price:
    """A row: micro-dollars for a million tokens of each kind; None where unknown.

    Args:
        provider: its name in the registry.
        model: its name there, without a date; "*" for all of them.
        input, output, cache_read, cache_write, reasoning: the parts of a ``Usage``.
        max_input: tokens of input up to which the row holds; a longer request has another price.
        effective_from: the first day on which it holds, None for ever since.
        checked_on: when somebody last looked; None where there is nothing to look at.
        source: where.
    """

    provider: str
    model: str
    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    max_input: int | None = None
    effective_from: date | None = None
    checked_on: date | None = None
    source: str = ""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Price:
        """Read a row as JSON has it, days as "2026-11-21".

        Raises:
            ConfigError: a field that does not exist, a number that is none or below 0, a day that is none.

        Example:
            >>> Price.from_row({"provider": "p", "model": "m", "input": 2_000_000, "checked_on": "2026-11-21"}).input
            2000000
        """
        values = dict(row)
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown or not {"provider", "model"} <= set(values):
            raise ConfigError(f"price row {row.get('model')!r}: fields {sorted(values)}", hint="provider, model, input")
        for name in (*_NUMBERS, "max_input"):
            if (value := values.get(name)) is not None and (type(value) is not int or value < 0):
                raise ConfigError(f"price of {row['model']}: {name} is {value!r}", hint="whole micro-dollars, or null")
        for name in ("effective_from", "checked_on"):
            if isinstance(values.get(name), str):
                try:
                    values[name] = date.fromisoformat(values[name])
                except ValueError:
                    raise ConfigError(f"price of {row['model']}: {name} is {values[name]!r}", hint="a day") from None
        return cls(**values)


class Prices:
    """A table of prices.

    Args:
        rows: any order; a model may have several, each from another day on.

    Example:
        >>> table = Prices([Price("toy", "m", input=2_000_000, output=8_000_000)])
        >>> table.cost(Usage(input=1000, output=10), "toy", "m"), table.cost(Usage(input=1, output=1), "toy", "other")
        (2080, None)
    """

    def __init__(self, rows: Iterable[Price]) -> None:
        self.rows = tuple(rows)
        self._warned: set[Price] = set()

    def with_rows(self, rows: Iterable[Price]) -> Prices:
        """Return a table in which these rows come before those that are here."""
        return Prices((*rows, *self.rows))

    def find(self, provider: str, model: str, on: date | None = None) -> Price | None:
        """Return the row of a model on a day, today by default; None if there is none.

        A name with a day at its end ("gpt-6-sol-2026-09-22") has the price of the name without it.

        Warns:
            StalePriceWarning: once a row, if it was last looked at more than 90 days before.
        """
        today = on or date.today()
        for name in dict.fromkeys((model, _DATED.sub("", model), "*")):
            rows = [
                row
                for row in self.rows
                if row.provider == provider
                and row.model == name
                and (row.effective_from is None or row.effective_from <= today)
            ]
            if rows:
                found = max(rows, key=lambda row: row.effective_from or date.min)  # the first of equals: the user's own
                self._warn(found, today)
                return found
        return None

    def cost(self, usage: Usage, provider: str, model: str, on: date | None = None) -> int | None:
        """Return what this usage costs in micro-dollars, rounded up; None if a price or a number is unknown."""
        found = self.find(provider, model, on)
        return None if found is None else cost(usage, found)

    def _warn(self, row: Price, today: date) -> None:
        if row.checked_on is None or row in self._warned or (age := (today - row.checked_on).days) <= STALE_DAYS:
            return
        self._warned.add(row)
        text = f"the price of {row.provider}'s {row.model} was last looked at {age} days ago, on {row.checked_on}"
        warnings.warn(text, StalePriceWarning, stacklevel=4)


@cache
def shipped() -> Prices:
    """Return the table that comes with this package: at most 20 rows, each with its day and its source."""
    folder = resources.files(__package__) / "data"
    newest = max((file for file in folder.iterdir() if file.name.startswith("prices-")), key=lambda file: file.name)
    rows = json.loads(newest.read_text(encoding="utf-8"))["rows"]
    return Prices(Price.from_row(row) for row in rows)


def picodollars(usage: Usage, price: Price) -> int | None:
    """Return the exact cost, in millionths of a micro-dollar: costs of parts add up to the cost of the whole.

    None if the input or the output is unknown, if tokens were used whose price is unknown, or if the request was longer
    than the row holds for. Parts that a provider did not speak of (caches, reasoning) were not used.
    """
    if usage.input is None or usage.output is None:
        return None
    read = usage.input + (usage.cache_read or 0) + (usage.cache_write or 0)
    if price.max_input is not None and read > price.max_input:
        return None
    total = 0
    for name in _NUMBERS:
        tokens, each = getattr(usage, name) or 0, getattr(price, name)
        if tokens and each is None:
            return None
        total += tokens * (each or 0)
    return total


def cost(usage: Usage, price: Price) -> int | None:
    """Return the cost in micro-dollars, rounded up; None if unknown, as ``picodollars`` says.

    Example:
        >>> cost(Usage(input=1, output=0), Price("toy", "m", input=100_000, output=400_000))
        1
    """
    exact = picodollars(usage, price)
    return None if exact is None else -(-exact // PICO)


def most(input_tokens: int, max_tokens: int | None, price: Price | None) -> int | None:
    """Return the most that a call can cost, in micro-dollars; None if nobody can tell before.

    Args:
        input_tokens: of the request, not fewer than it will have.
        max_tokens: of the answer; without a limit there is no bound.
        price: the model's; an unknown price of a cache counts as one that is not used.

    Example:
        >>> most(1000, 100, Price("toy", "m", input=2_000_000, output=8_000_000))
        2800
    """
    if price is None or max_tokens is None or price.input is None:
        return None
    if (max_tokens and price.output is None) or (price.max_input is not None and input_tokens > price.max_input):
        return None
    dearest_in = max(price.input, price.cache_read or 0, price.cache_write or 0)
    dearest_out = max(price.output or 0, price.reasoning or 0)
    return -(-(input_tokens * dearest_in + max_tokens * dearest_out) // PICO)


class Budget:
    """Money and calls that may be used up; what could cross the limit is refused before it is done.

    A call reserves the most it can cost, and gives back what it did not need. Several threads may share a budget.

    Args:
        microdollars: the limit, None for none.
        calls: how many calls, None for any number.

    Attributes:
        spent: micro-dollars used up so far.
        made: calls that were let through.

    Raises:
        ConfigError: a limit is no whole number, or below 0.

    Example:
        >>> budget = Budget(microdollars=1000)
        >>> budget.reserve(600); budget.settle(600, 250); budget.spent, budget.left
        (250, 750)
        >>> budget.reserve(751)
        Traceback (most recent call last):
            ...
        tinyllm.client.errors.BudgetExceededError: E-BUDGET the next call may cost 751 micro-dollars, and ...
    """

    def __init__(self, microdollars: int | None = None, calls: int | None = None) -> None:
        for name, limit in (("microdollars", microdollars), ("calls", calls)):
            if limit is not None and (type(limit) is not int or limit < 0):
                raise ConfigError(f"Budget: {name}={limit!r}", hint="a whole number, 0 or more, or None")
        self.microdollars, self.calls = microdollars, calls
        self.spent = self.made = self._reserved = 0
        self._settled = threading.Condition()

    @property
    def left(self) -> int | None:
        """Micro-dollars that are neither spent nor reserved; None without a limit."""
        return None if self.microdollars is None else self.microdollars - self.spent - self._reserved

    def reserve(self, bound: int | None, patient: bool = False) -> None:
        """Set aside the most that the next call can cost.

        Args:
            bound: micro-dollars, see ``most``; None if nobody can tell, which a limit in money refuses.
            patient: whether to wait for calls of other threads, where what they give back may be enough.

        Raises:
            BudgetExceededError: that much is not left; nothing was set aside.
        """
        with self._settled:
            while patient and bound is not None and self._may_be_enough_later(bound):
                self._settled.wait()
            if self.calls is not None and self.made >= self.calls:
                raise BudgetExceededError(f"all {self.calls} calls of the budget are made", hint="a larger budget")
            left = self.left
            if left is not None:
                if bound is None:
                    raise BudgetExceededError(
                        "nobody can tell what the next call may cost, so the budget cannot be kept",
                        hint="max_tokens, and a price of this model: Prices.with_rows",
                    )
                if bound > left:
                    raise BudgetExceededError(
                        f"the next call may cost {bound} micro-dollars, and {left} of {self.microdollars} are left",
                        hint="a smaller max_tokens, a shorter prompt, a cheaper model or a larger budget",
                    )
            self._reserved += bound or 0
            self.made += 1

    def settle(self, bound: int | None, cost: int | None) -> None:
        """Give back what was set aside, and book what the call did cost; if nobody knows that, all of it."""
        with self._settled:
            self._reserved -= bound or 0
            self.spent += (bound or 0) if cost is None else cost
            self._settled.notify_all()

    def _may_be_enough_later(self, bound: int) -> bool:
        return self.microdollars is not None and bool(
            self._reserved and self.microdollars - self.spent - self._reserved < bound <= self.microdollars - self.spent
        )
