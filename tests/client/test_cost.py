"""Cost: unknown is None and never 0, parts add up, a budget is never crossed."""

from __future__ import annotations

import json
import threading
import warnings
from dataclasses import astuple, fields
from datetime import date
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.client.cost import PICO, Budget, Price, Prices, StalePriceWarning, cost, most, picodollars, shipped
from tinyllm.client.errors import BudgetExceededError
from tinyllm.client.types import Usage
from tinyllm.errors import ConfigError

COUNT = st.integers(0, 10**7)
USAGE = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT)
PRICE = st.builds(Price, st.just("p"), st.just("m"), *[st.integers(0, 10**9)] * 5)
TODAY = date(2026, 11, 21)


@settings(derandomize=True)
@given(USAGE, USAGE, PRICE)
def test_cost_is_additive(a, b, price):
    both = Usage(*(x + y for x, y in zip(astuple(a), astuple(b), strict=True)))
    assert picodollars(a, price) + picodollars(b, price) == picodollars(both, price)
    # rounded up once: a sum of rounded costs is at most one micro-dollar above
    assert cost(both, price) <= cost(a, price) + cost(b, price) <= cost(both, price) + 1
    assert cost(a, price) * PICO >= picodollars(a, price)


@settings(derandomize=True)
@given(USAGE, PRICE, st.sampled_from([field.name for field in fields(Usage)]))
def test_what_is_unknown_stays_unknown(usage, price, name):
    blind = Price(**{field.name: getattr(price, field.name) for field in fields(Price)} | {name: None})
    expected = None if getattr(usage, name) else cost(usage, price)
    assert cost(usage, blind) == expected


def test_unknown_numbers_and_models():
    price = Price("p", "m", input=1, output=1)
    assert cost(Usage(input=1), price) is None and cost(Usage(output=1), price) is None
    assert cost(Usage(input=1, output=1, cache_read=1), price) is None
    assert cost(Usage(input=0, output=0), price) == 0
    assert cost(Usage(input=11, output=1), Price("p", "m", input=1, output=1, max_input=10)) is None
    assert Prices([price]).cost(Usage(input=1, output=1), "q", "m") is None


def test_a_price_holds_from_its_day_on_and_a_name_may_bear_a_date():
    table = Prices(
        [
            Price("p", "m", input=2, effective_from=date(2026, 1, 1)),
            Price("p", "m", input=3, effective_from=date(2027, 1, 1)),
            Price("p", "m-mini", input=1),
            Price("free", "*", input=0),
        ]
    )
    assert table.find("p", "m", TODAY).input == 2 and table.find("p", "m", date(2027, 5, 1)).input == 3
    assert table.find("p", "m", date(2025, 1, 1)) is None
    for name in ("m-2026-09-22", "m-20260922", "m-latest"):
        assert table.find("p", name, TODAY).input == 2
    assert table.find("p", "m-mini-20260922", TODAY).input == 1 and table.find("p", "m-max", TODAY) is None
    assert table.find("free", "anything", TODAY).input == 0
    assert table.with_rows([Price("p", "m-mini", input=9)]).find("p", "m-mini", TODAY).input == 9


def test_a_price_nobody_looked_at_for_long_warns_once():
    table = Prices([Price("p", "m", input=1, checked_on=date(2026, 8, 22))])  # 91 days before
    with pytest.warns(StalePriceWarning, match="91 days ago, on 2026-08-22"):
        table.find("p", "m", TODAY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table.find("p", "m", TODAY)
        Prices([Price("p", "m", checked_on=date(2026, 8, 23))]).find("p", "m", TODAY)


def test_what_is_shipped_is_dated_sourced_and_small():
    rows = shipped().rows
    assert 0 < len(rows) <= 20
    for row in rows:
        assert row.source and (row.checked_on or row.provider == "local"), row
        assert row.source.startswith("https://") or row.provider == "local"
        assert row.checked_on is None or row.checked_on <= TODAY
    assert shipped().cost(Usage(input=10**6, output=10**6), "local", "any run", TODAY) == 0
    assert shipped().cost(Usage(input=1000, output=100, cache_read=0), "anthropic", "claude-haiku-5-5", TODAY) == 150
    assert shipped().find("gemini", "gemini-3.8-flash", date(2027, 1, 1)).input == 1_500_000
    file = resources.files("tinyllm.client") / "data" / "prices-2026-11-21.json"
    assert json.loads(file.read_text(encoding="utf-8"))["written_on"] == "2026-11-21"


@pytest.mark.parametrize(
    "row",
    [
        {"provider": "p"},
        {"provider": "p", "model": "m", "inptu": 1},
        {"provider": "p", "model": "m", "input": 1.5},
        {"provider": "p", "model": "m", "input": -1},
        {"provider": "p", "model": "m", "input": True},
        {"provider": "p", "model": "m", "checked_on": "yesterday"},
    ],
)
def test_bad_rows_are_refused(row):
    with pytest.raises(ConfigError):
        Price.from_row(row)


@settings(derandomize=True)
@given(PRICE, st.integers(0, 1000), st.integers(0, 1000), st.data())
def test_most_is_never_less_than_what_it_costs(price, read, written, data):
    parts = [data.draw(st.integers(0, read)) for _ in range(2)]
    cached, stored = min(parts), max(parts) - min(parts)
    thought = data.draw(st.integers(0, written))
    usage = Usage(read - cached - stored, written - thought, cached, stored, thought)
    assert cost(usage, price) <= most(read, written, price)


def test_most_does_not_guess():
    assert most(1, None, Price("p", "m", 1, 1)) is None and most(1, 1, None) is None
    assert most(1, 1, Price("p", "m", input=1)) is None and most(1, 0, Price("p", "m", input=1)) == 1
    assert most(11, 1, Price("p", "m", 1, 1, max_input=10)) is None


@settings(derandomize=True)
@given(st.integers(0, 1000), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=20))
def test_a_budget_is_never_crossed(limit, calls):
    budget = Budget(limit)
    for bound, share in calls:
        try:
            budget.reserve(bound)
        except BudgetExceededError:
            assert budget.left < bound
        else:
            budget.settle(bound, min(bound, share))
        assert 0 <= budget.spent <= limit and budget.left == limit - budget.spent


def test_threads_share_a_budget():
    budget = Budget(1000)
    refused = []

    def spend():
        for _ in range(50):
            try:
                budget.reserve(7)
            except BudgetExceededError:
                refused.append(1)
            else:
                budget.settle(7, None)  # nobody knows what it cost: all of it is booked

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.spent == 994 and len(refused) == 400 - 142


def test_a_budget_refuses_what_it_cannot_know():
    with pytest.raises(BudgetExceededError, match="nobody can tell"):
        Budget(1000).reserve(None)
    Budget().reserve(None)
    budget = Budget(calls=1)
    budget.reserve(None)
    with pytest.raises(BudgetExceededError, match="all 1 calls"):
        budget.reserve(0)
    for bad in (-1, 1.5, True):
        with pytest.raises(ConfigError):
            Budget(bad)
