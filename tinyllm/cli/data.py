"""``tinyllm data``: the files that others published, which of them are here, and a way to fetch the rest."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from .. import assets
from ..errors import ConfigError, DataError
from .parser import Parser
from .screen import Screen, say

ACTIONS = ("list", "get")
WORDS = (*ACTIONS, *assets.ASSETS, *assets.MODELS)  # what the shell may complete
EXAMPLES = """\
  tinyllm data list
  tinyllm data get cl100k_base o200k_base
  tinyllm data get gpt2
  tinyllm data list --json
"""
_PUBLISHED = ("name", "size", "url", "sha256")  # what is said of each file
_PATIENCE = 1.0  # seconds between two plain lines about one download


@dataclass(frozen=True)
class Found:
    """How it stands with one file, or with the files of a model.

    Attributes:
        asset: what it should be.
        state: "here", whole; "missing"; "altered", there but not as it was published.
        path: where it is, or where it would go.
        trouble: what is wrong with it.
        fix: what to do about that.
    """

    asset: assets.Asset | assets.ModelAsset
    state: str
    path: str
    trouble: str = ""
    fix: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        facts: dict[str, Any] = {key: getattr(self.asset, key) for key in ("name", "about", "size")}
        if isinstance(self.asset, assets.ModelAsset):
            facts["files"] = [{key: getattr(file, key) for key in _PUBLISHED} for file in self.asset.files]
        else:
            facts |= {key: getattr(self.asset, key) for key in _PUBLISHED[2:]}
        return {**facts, "state": self.state, "path": self.path, "trouble": self.trouble, "fix": self.fix}


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "action", metavar="ACTION", nargs="?", choices=ACTIONS, default="list",
        help="list: what there is, and where it lies; get: fetch what is not here",
    )  # fmt: skip
    parser.add_argument("names", metavar="[NAME ...]", nargs="*", help="of files or models; for list, all of them")
    parser.add_argument("--json", action="store_true", help="print one JSON object per file")


def run(args: argparse.Namespace) -> int:
    """Show the files, or fetch some; return 1 if one could not be had."""
    names = list(dict.fromkeys(args.names))
    for name in names:
        if name not in assets.MODELS:
            assets.known(name)
    screen = Screen.of()
    if args.action == "list":
        show([look(name) for name in names or (*assets.ASSETS, *assets.MODELS)], screen, args.json)
        return 0
    if not names:
        raise ConfigError("data get needs a name", hint=f"{_get(next(iter(assets.ASSETS)))}, or another name")
    return get(names, screen, args.json)


def look(name: str) -> Found:
    """Look for a file, or a model's files, in TINYLLM_DATA and in the cache, and see whether they are whole."""
    if name in assets.MODELS:
        return _look_for_model(assets.MODELS[name])
    asset = assets.known(name)
    cached = assets.cache_folder() / asset.path
    try:
        found = assets.find(name)
        if found is not None:
            return Found(asset, "here", str(found))
        if not cached.is_file():
            return Found(asset, "missing", str(cached))
        return Found(asset, "altered", str(cached), f"{cached}: is not {name} as it was published", _get(name))
    except DataError as error:
        return Found(asset, "altered", error.message.split(": ")[0], error.message, error.hint or "")
    except OSError as error:
        trouble = f"{error.filename or cached}: cannot be read ({(error.strerror or str(error)).lower()})"
        return Found(asset, "altered", str(error.filename or cached), trouble, "let it be read, or move it away")


def _look_for_model(model: assets.ModelAsset) -> Found:
    cached = assets.cache_folder() / model.path
    try:
        found = assets.find_model(model.name)
        return Found(model, "missing" if found is None else "here", str(found or cached))
    except DataError as error:
        return Found(model, "altered", error.message.split(": ")[0], error.message, error.hint or "")
    except OSError as error:
        trouble = f"{error.filename or cached}: cannot be read ({(error.strerror or str(error)).lower()})"
        return Found(model, "altered", str(error.filename or cached), trouble, "let it be read, or move it away")


def show(found: list[Found], screen: Screen, as_json: bool) -> None:
    """Print two lines per file: what it is, and where."""
    if as_json:
        for one in found:
            say(json.dumps(one.to_dict()))
        return
    for one in found:
        screen.line(f"{one.asset.name:<18}{size(one.asset.size):>8}  {one.asset.about}", style="bold")
        where, style = {
            "here": (one.path, "green"),
            "missing": (f"not here; {_get(one.asset.name)}", "dim"),
            "altered": (f"ALTERED {one.trouble}. Try: {one.fix}", "bold red"),
        }[one.state]
        screen.line(f"{'':<28}{where}", style=style)
    here = [one.asset.size for one in found if one.state == "here"]
    screen.line(
        f"{len(here)} of {len(found)} are here and whole, {size(sum(here))}; downloads go to {assets.cache_folder()}"
    )


def get(names: list[str], screen: Screen, as_json: bool) -> int:
    """Fetch files, one after the other; one that cannot be had does not keep the others back."""
    failed = 0
    for name in names:
        result: dict[str, Any] = {"name": name, "state": "failed", "path": None, "error": None}
        try:
            model = name in assets.MODELS
            if (found := assets.find_model(name) if model else assets.find(name)) is not None:
                result |= {"state": "here", "path": str(found)}
                line = f"{name}: is here already, {found}"
            elif model:
                path = _fetch_model(assets.MODELS[name], screen, as_json)
                result |= {"state": "fetched", "path": str(path)}
                line = f"{name}: fetched, {path}"
            else:
                with _progress(assets.known(name), screen, as_json) as progress:
                    path = assets.fetch(name, progress.update)
                result |= {"state": "fetched", "path": str(path)}
                line = f"{name}: fetched, {path}"
        except (DataError, OSError) as error:
            from .main import one_line

            failed += 1
            result["error"] = line = one_line(error)
        if as_json:
            say(json.dumps(result))
        elif result["error"]:
            say(f"tinyllm: {line}", error=True)
        else:
            screen.line(line)
    return int(failed > 0)


def _fetch_model(model: assets.ModelAsset, screen: Screen, silent: bool) -> Path:
    """Fetch a model's files, each with a progress of its own."""
    with contextlib.ExitStack() as stack:
        now: list[tuple[assets.Asset, _Silent]] = []

        def told(file: assets.Asset, done: int, total: int) -> None:
            if not now or now[-1][0] is not file:
                stack.close()
                now.append((file, stack.enter_context(_progress(file, screen, silent))))
            now[-1][1].update(done, total)

        return assets.fetch_model(model.name, told)


def size(n: int) -> str:
    """Write a number of bytes for people.

    Example:
        >>> size(1_115_394), size(0)
        ('1.1 MB', '0.0 MB')
    """
    return f"{n / 1e6:.1f} MB"


def _get(name: str) -> str:
    return f"tinyllm data get {name}"


def _progress(asset: assets.Asset, screen: Screen, silent: bool) -> _Silent:
    return _Silent() if silent else _Lines(asset, screen) if screen.plain else _Bar(asset, screen)


class _Silent:
    """Shows nothing."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def update(self, done: int, total: int) -> None:
        """Take note that more has arrived."""


class _Lines(_Silent):
    """A line at the beginning, and one whenever it takes long."""

    def __init__(self, asset: assets.Asset, screen: Screen) -> None:
        self.asset = asset
        self.screen = screen

    def __enter__(self) -> _Lines:
        self.screen.line(f"{self.asset.name}: {size(self.asset.size)} from {self.asset.url}")
        self.said = time.monotonic()
        return self

    def update(self, done: int, total: int) -> None:
        """Say how far it is, if nothing was said for a while."""
        if time.monotonic() - self.said >= _PATIENCE:
            self.said = time.monotonic()
            self.screen.line(f"{self.asset.name}: {size(done)} of {size(total)}")


class _Bar(_Silent):
    """A bar that moves, and is gone in the end."""

    def __init__(self, asset: assets.Asset, screen: Screen) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = [TextColumn(asset.name), BarColumn(bar_width=30), DownloadColumn(), TimeRemainingColumn()]
        self.bar = Progress(*columns, console=screen.console, transient=True)
        self.task = self.bar.add_task("", total=asset.size)

    def __enter__(self) -> _Bar:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def update(self, done: int, total: int) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=done, total=total)
