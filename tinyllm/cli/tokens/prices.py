"""What tokens cost, by prices that the user gives: the package knows none, for they change."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError

Prices = dict[str, float]  # name of an encoding or a model -> price of a million tokens


def read_prices(path: str | Path) -> Prices:
    """Read a table of prices: a JSON object, or lines of CSV, name and price per million tokens.

    Raises:
        DataError: it is neither, or a price is no number of at least 0.
        OSError: the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no UTF-8 text", hint="JSON or CSV") from None
    rows = _from_json(path, text) if text.lstrip().startswith(("{", "[")) else _from_csv(text)
    if not rows:
        raise DataError(f"{path}: holds no prices", hint='{"gpt-4o": 2.5}, or lines such as gpt-4o,2.5')
    return {name: _price(path, name, value) for name, value in rows.items()}


def _from_json(path: str | Path, text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error})", hint='{"gpt-4o": 2.5}') from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: is not a JSON object", hint='{"gpt-4o": 2.5}')
    return found


def _from_csv(text: str) -> Mapping[str, Any]:
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if any(map(str.strip, row))]
    rows = [row for row in rows if not row[0].startswith("#")]
    if rows and (len(rows[0]) < 2 or not _is_number(rows[0][1])) and len(rows) > 1:
        rows = rows[1:]  # a line of headings
    return {row[0]: row[1] if len(row) > 1 else "" for row in rows}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _price(path: str | Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or not _is_number(str(value)):
        raise DataError(f"{path}: the price of {name} is {value!r}, no number", hint="the price of a million tokens")
    price = float(value)
    if not (math.isfinite(price) and price >= 0):
        raise DataError(f"{path}: the price of {name} is {value}", hint="0 or more")
    return price


def encoding_name_of(name: str) -> str | None:
    """Return the encoding that a name in a table of prices means: itself, or that of a model; None for another name."""
    from ...tokenizer import encoding_name_for_model, list_encoding_names

    if name in list_encoding_names():
        return name
    try:
        return encoding_name_for_model(name)
    except ConfigError:
        return None


def prices_for(encoding: str, model: str | None, table: Prices, price: float | None) -> Prices:
    """Return what a million tokens of an encoding costs: one price, or that of every model in the table that uses it.

    Example:
        >>> prices_for("o200k_base", None, {"gpt-4o": 2.5, "gpt-4": 30.0}, None)
        {'gpt-4o': 2.5}
        >>> prices_for("gpt2", None, {}, 0.5)
        {'': 0.5}
    """
    if price is not None:
        return {"": price}
    if model is not None:
        return {model: table[model]} if model in table else {}
    return {name: each for name, each in table.items() if name == encoding or encoding_name_of(name) == encoding}


def money(amount: float) -> str:
    """Write an amount with three digits that count, and no currency, which only the user knows.

    Example:
        >>> money(0.0000125), money(12.3456), money(1234567.8), money(0)
        ('0.0000125', '12.35', '1,234,567.80', '0.00')
    """
    digits = 2 if amount <= 0 else max(2, 2 - math.floor(math.log10(amount)))
    text = f"{amount:,.{digits}f}"
    return text if digits == 2 else text.rstrip("0")


def bill(tokens: int, per_million: float) -> str:
    """Say what so many tokens cost.

    Example:
        >>> bill(5, 2.5)
        '0.0000125 at 2.50 per million'
    """
    from ...tokenizer.explain import cost

    return f"{money(cost(tokens, per_million))} at {money(per_million)} per million"
