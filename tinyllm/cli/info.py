"""``tinyllm info``: what is installed, what this machine has, and what tinyllm makes of it."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .parser import Parser
from .screen import Screen, say

EXAMPLES = """\
  tinyllm info
  tinyllm info --json > machine.json
"""
PACKAGES = ("numpy", "numba", "llvmlite", "matplotlib", "rich")


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the facts."""
    facts = gather()
    if args.json:
        say(json.dumps(facts, indent=2))
        return 0
    screen = Screen.of()
    for name, value in table(facts):
        screen.line(f"{name:<12}{value}")
    return 0


def gather() -> dict[str, Any]:
    """Collect everything, as JSON can hold it."""
    environment = {name: value for name, value in sorted(os.environ.items()) if _steers(name)}  # before we add to it
    from .. import assets, kernels
    from ..train import manifest
    from .data import look

    facts = manifest.facts()
    folder = Path(kernels.__file__).parent
    downloads = assets.cache_folder()
    return {
        "versions": {**facts["versions"], **{name: version_of(name) for name in PACKAGES}},
        "machine": {**facts["platform"], "cores": os.cpu_count(), "memory_bytes": memory()},
        "threads": facts["threads"],
        "blas": facts["blas"],
        "kernels": {"backend": facts["kernels"], "table": kernel_choice(), "products": product_choice()},
        "caches": {
            "numba": {"path": str(numba_cache(folder)), **size_of(numba_cache(folder), ("*.nbi", "*.nbc"))},
            "downloads": {"path": str(downloads), **size_of(downloads, ("*",))},
        },
        "data": {
            "TINYLLM_DATA": [path for path in os.environ.get("TINYLLM_DATA", "").split(os.pathsep) if path],
            "published": {name: look(name).state for name in assets.ASSETS},
        },
        "package": str(folder.parent),
        "git": facts["git"],
        "environment": environment,
    }


def table(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Write the facts for a person: (name, value) pairs."""
    versions = dict(facts["versions"])
    yield "tinyllm", f"{versions.pop('tinyllm')} in {facts['package']}"
    yield "python", versions.pop("python")
    yield "packages", ", ".join(f"{name} {found or 'NOT INSTALLED'}" for name, found in versions.items())
    machine = facts["machine"]
    memory_text = f", {machine['memory_bytes'] / 2**30:.0f} GiB of memory" if machine["memory_bytes"] else ""
    yield (
        "machine",
        f"{machine['system']} {machine['machine']}, {machine['processor']}, {machine['cores']} cores{memory_text}",
    )
    yield "threads", f"{facts['threads']} (TINYLLM_THREADS changes it)"
    yield "BLAS", " ".join(str(facts["blas"].get(key, "")) for key in ("name", "version"))
    chosen = facts["kernels"]["table"]
    slow = [name for name, backend in chosen.items() if backend != facts["kernels"]["backend"]]
    fast = len(chosen) - len(slow)
    yield (
        "kernels",
        f"{facts['kernels']['backend']} for {fast} of {len(chosen)}"
        + (f"; numpy for {', '.join(slow)}" if slow else ""),
    )
    yield "products", products_text(facts["kernels"]["products"])
    for name, cache in facts["caches"].items():
        yield (
            {"numba": "numba cache"}.get(name, name),
            f"{cache['path']}: {cache['files']} files, {cache['bytes'] / 2**20:.1f} MiB",
        )
    yield "data", ", ".join(facts["data"]["TINYLLM_DATA"]) or "TINYLLM_DATA is not set; python-manual is always there"
    published = facts["data"]["published"]
    here = [name for name, state in published.items() if state == "here"]
    yield "published", f"{', '.join(here) or 'none'}: {len(here)} of {len(published)} are here (tinyllm data list)"
    for name, value in facts["environment"].items():
        yield "set", f"{name}={value}"


def version_of(package: str) -> str | None:
    """Return the installed version of a package; None where it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def kernel_choice() -> dict[str, str]:
    """Name the back end that each kernel runs on: one without a Numba version runs on its NumPy reference."""
    from .. import kernels

    if kernels.backend() != "numba":
        return dict.fromkeys(kernels.TABLE, kernels.backend())
    from ..kernels import jit

    return {name: "numba" if name in jit.FAST else "numpy" for name in kernels.TABLE}


def product_choice() -> dict[str, Any]:
    """Say who calculates matrix products: what was measured for each class of them, and what holds for the others."""
    from .. import kernels

    if kernels.backend() != "numba":
        return {"default": "blas", "measured": {}}
    from ..kernels import choice

    return {"default": choice.default(), "measured": choice.table()}


def products_text(products: dict[str, Any]) -> str:
    """Write in one line who calculates matrix products."""
    names = {"ours": "our own kernels", "blas": "BLAS"}
    usual, measured = names[products["default"]], products["measured"]
    if not measured:
        return f"{usual} (not measured here yet)"
    by_blas = [name for name, row in measured.items() if row["pick"] == "blas"]
    return f"our own kernels for {len(measured) - len(by_blas)} of {len(measured)} classes measured" + (
        f"; BLAS for {', '.join(by_blas)}" if by_blas else ""
    )


def numba_cache(package: Path) -> Path:
    """Return the folder where Numba keeps the machine code of our kernels."""
    if own := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(own)
    beside = package / "jit" / "__pycache__"
    if os.access(beside if beside.exists() else package, os.W_OK):
        return beside
    base = os.environ.get("XDG_CACHE_HOME")  # where Numba turns to when the package is read-only
    return (Path(base) if base else Path.home() / ".cache") / "numba"


def size_of(folder: Path, patterns: tuple[str, ...]) -> dict[str, int]:
    """Count the files below a folder and their bytes."""
    sizes = []
    for pattern in patterns:
        for path in folder.rglob(pattern) if folder.is_dir() else ():
            try:
                if path.is_file():
                    sizes.append(path.stat().st_size)
            except OSError:  # gone in the meantime
                continue
    return {"files": len(sizes), "bytes": sum(sizes)}


def memory() -> int | None:
    """Return the bytes of main memory, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _steers(name: str) -> bool:
    return name.startswith(("TINYLLM_", "NUMBA_", "OMP_", "OPENBLAS_", "MKL_")) or name == "NO_COLOR"
