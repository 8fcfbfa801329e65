"""``tinyllm rag index``: make a folder of texts, or some files, ready to be searched and asked."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError
from ..parser import Parser, number
from ..screen import Screen, say
from ..waiting import busy
from ..written import megabytes
from .libraries import MANUAL, Indexing, default_folder, documents_of

if TYPE_CHECKING:
    from ...rag import Library

WORDS = (MANUAL,)
EXAMPLES = """\
  tinyllm rag index notes/
  tinyllm rag index notes/ --only "*.md" --to libraries/markdown
  tinyllm rag index python-manual --embedder lsa
  tinyllm rag index paper.pdf thesis.html --to libraries/reading --max-tokens 120
"""
_SHOWN = 5  # files left out that are named


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument(
        "sources", metavar="SOURCE", nargs="+",
        help="a folder, or files: text, Markdown, HTML, reStructuredText, PDF; or python-manual",
    )  # fmt: skip
    parser.add_argument("--to", metavar="FOLDER", help="where the library goes (libraries/NAME); one there is updated")
    parser.add_argument("--only", metavar="PATTERN", action="append", default=[], help='of a folder: such as "*.md"')
    parser.add_argument(
        "--embedder", choices=["auto", "lsa", "minilm"],
        help="what makes vectors: lsa, of these texts; minilm, of its weights; auto: minilm where they are (auto)",
    )  # fmt: skip
    parser.add_argument(
        "--chunker", choices=["headings", "sentences", "fixed"], help="what a passage may not cut in two (headings)"
    )
    parser.add_argument(
        "--max-tokens", type=number(1, whole=True), metavar="N", help="of a passage (what the embedder reads, or 200)"
    )
    parser.add_argument("--anew", action="store_true", help="make the library again, with other settings for example")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Make the library, or bring it up to date; say what was done."""
    documents = documents_of(args.sources, args.only)
    place = Path(args.to).expanduser() if args.to else default_folder(args.sources)
    screen = Screen.of()
    began = time.perf_counter()
    with Indexing(screen, documents, silent=args.json) as progress:
        library, changes = made(args, place, documents, progress)
    with library:
        seconds = time.perf_counter() - began
        facts = {
            "library": str(place),
            "documents": sum(map(len, (changes.added, changes.changed, changes.same))),
            "chunks": len(library),
            "embedder": library.embedder.id,
            "kind": library.settings["embedder"],
            "why": library.why,
            "store": store_for(library),
            **{name: list(getattr(changes, name)) for name in ("added", "changed", "removed")},
            "skipped": {one.id: one.reason for one in getattr(documents, "skipped", ())},
            "unseen": round(library.unseen(changes.added), 3),
            "bytes": sum(file.stat().st_size for file in place.iterdir() if file.is_file()),
            "seconds": round(seconds, 2),
        }
    if args.json:
        say(json.dumps(facts))
        return 0
    show(facts, changes, screen)
    return 0


def made(args: argparse.Namespace, place: Path, documents: Any, progress: Indexing) -> tuple[Library, Any]:
    """Return the library, and what was changed in it.

    Raises:
        ConfigError: there is one already, made with other settings than these.
    """
    from ...rag import Library

    asked = {name: getattr(args, name) for name in ("embedder", "chunker", "max_tokens")}
    chosen = {name: value for name, value in asked.items() if value is not None}
    if Library.is_at(place) and not args.anew:
        library = Library(place)
        for name, value in chosen.items():
            if value not in ("auto", library.settings[name]):
                held = library.settings[name]
                library.close()
                raise ConfigError(f"{place}: was made with {name} {held}", hint="--anew, or another --to")
        return library, library.sync(documents, progress)
    with busy("reading the texts"):
        corpus = list(documents)
    library = Library.make(place, corpus, anew=args.anew, progress=progress, **chosen)
    return library, library.made


def store_for(library: Library) -> str:
    """Return which other store would be better for so many passages, and why; "" if the one in the file is enough."""
    from ...rag import advise

    advice = advise(len(library), dim=library.embedder.dim)
    return "" if advice.store == "SqliteStore" else f"time for a {advice.store}: {advice.why}"


def show(facts: dict[str, Any], changes: Any, screen: Screen) -> None:
    """Say in some lines what is in the library now."""
    place = facts["library"]
    screen.line(f"{place}: {facts['documents']:,} documents in {facts['chunks']:,} passages", style="bold")
    screen.line(f"    {changes}; {facts['seconds']:.1f} s, {megabytes(facts['bytes'])}")
    screen.paragraph(f"vectors by {facts['kind']}: {facts['why']}", indent="    ")
    if facts["store"]:
        screen.paragraph(facts["store"], indent="    ", style="yellow")
    if facts["unseen"] > 0.1:
        screen.paragraph(
            f"{facts['unseen']:.0%} of the new documents' words are unknown to this embedder, which was made of the "
            "older ones: --anew makes it again of all.",
            indent="    ", style="yellow",
        )  # fmt: skip
    skipped = list(facts["skipped"].items())
    if skipped:
        screen.line(f"    {len(skipped)} left out:", style="yellow")
        for name, reason in skipped[:_SHOWN]:
            screen.line(f"        {name}: {reason}")
        if len(skipped) > _SHOWN:
            screen.line(f"        and {len(skipped) - _SHOWN} more (--json lists all)")
    screen.line(f'Next: tinyllm rag search {place} "..."    tinyllm rag ask {place} "...?"', style="dim")
