"""Judged collections that a command is given: by name, or as a folder of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import assets
from ...errors import ConfigError, nearest
from ..parser import Parser

if TYPE_CHECKING:
    from ...rag import Collection, Embedder

PUBLISHED = ("cranfield", "cisi", "scifact", "xquad")
NAMES = ("toy", *PUBLISHED)
CACHE = "rag-embeddings.sqlite"  # in the folder of downloads: to embed a collection takes minutes


def add_collection(parser: Parser) -> None:
    """Declare the collection."""
    parser.add_argument(
        "collection", metavar="COLLECTION", nargs="?", default="toy",
        help="toy (30 documents, comes with the package), a folder with documents.jsonl and queries.json, or "
        f"{', '.join(PUBLISHED)} (below collections/ in TINYLLM_DATA, or --folder) (toy)",
    )  # fmt: skip
    parser.add_argument("--folder", metavar="FOLDER", help="where the files of a published collection are")


def opened(name: str, folder: str | None) -> Collection:
    """Read a collection.

    Raises:
        ConfigError: there is no such collection, or nobody knows where its files are.
        DataError: its files are damaged.
    """
    from ...rag.evaluate import load

    if name == "toy":
        return load("toy")
    if name in PUBLISHED:
        return load(name, folder or _found(name))
    place = Path(name).expanduser()
    if not place.is_dir():
        close = nearest(name, NAMES)
        raise ConfigError(f"there is no collection {name!r}", hint=close or f"{', '.join(NAMES)}, or a folder of yours")
    return load("own", place)


def clean_part(name: str, folder: str | None, measured: Collection) -> Collection | None:
    """Return the queries that share nothing with published training queries, where there are such (SciFact)."""
    if name != "scifact":
        return None
    from ...rag.evaluate import leak_report, load

    report = leak_report(load(name, folder or _found(name), split="train"), measured)
    return measured.take(report.clean, f"{measured.name}, clean")


def embedder_of(name: str) -> Embedder | None:
    """Return an embedder that keeps what it has embedded, None for "none".

    Raises:
        ConfigError: its weights are not here.
    """
    if name == "none":
        return None
    from ...rag import Cache, Cached
    from ...rag.embed import embedder

    place = assets.cache_folder()
    place.mkdir(parents=True, exist_ok=True)
    return Cached(embedder(name), Cache(place / CACHE))


def _found(name: str) -> Path:
    for place in assets.places():
        if (place / "collections" / name).is_dir():
            return place / "collections" / name
    raise ConfigError(
        f"the files of the collection {name} are not here",
        hint=f"TINYLLM_DATA=a folder that has collections/{name}, or --folder",
    )


def steps_of(text: str) -> list[str]:
    """Return the names in a list with commas.

    Example:
        >>> steps_of("bm25, lsa")
        ['bm25', 'lsa']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def as_json(report: Any) -> dict[str, Any]:
    """Return a ladder's report as JSON can hold it."""
    steps = []
    for step in report.steps:
        told: dict[str, Any] = {"name": step.name, "mean": step.mean.value, "interval": [step.mean.low, step.mean.high]}
        if step.change is not None:
            change = step.change
            told |= {
                "delta": change.delta.value, "delta_interval": [change.delta.low, change.delta.high], "p": change.p,
                "p_holm": change.p_holm, "detectable": change.least, "won": change.wins, "lost": change.losses,
                "verdict": change.verdict,
            }  # fmt: skip
        steps.append(told)
    return {"title": report.title, "queries": report.queries, "alpha": report.alpha, "steps": steps}
