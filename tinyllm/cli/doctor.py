"""``tinyllm doctor``: look at everything that has to be right, and print one fix for each thing that is not."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from .info import numba_cache, version_of
from .parser import Parser
from .screen import Screen, say

EXAMPLES = """\
  tinyllm doctor
  tinyllm doctor --json
"""
_OLDEST_PYTHON = (3, 11)
_ENOUGH = 200 * 2**20  # bytes of disk for a run: checkpoints of small models take a few megabytes each


@dataclass(frozen=True)
class Finding:
    """What one look found.

    Attributes:
        state: "ok"; "note", which works but could be better; "fix", which has to be mended.
        text: what was found.
        fix: what to do about it.
    """

    state: str
    text: str
    fix: str = ""


def add_arguments(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object per look")


def run(args: argparse.Namespace) -> int:
    """Look at everything; return 1 if something has to be mended."""
    screen = Screen.of()
    worst = 0
    counts = {"ok": 0, "note": 0, "fix": 0}
    for look in LOOKS:
        for finding in _safely(look):
            counts[finding.state] += 1
            worst = max(worst, int(finding.state == "fix"))
            if args.json:
                say(json.dumps(vars(finding)))
            else:
                style = {"ok": "", "note": "yellow", "fix": "bold red"}[finding.state]
                text = f"{finding.state.upper():<5}{finding.text}" + (f". Fix: {finding.fix}" if finding.fix else "")
                screen.line(text, style=style)
    if not args.json:
        screen.line(_verdict(counts), style="bold")
    return worst


def _verdict(counts: dict[str, int]) -> str:
    if counts["fix"]:
        return f"{counts['fix']} to fix, {counts['note']} worth a look, {counts['ok']} fine"
    return f"All is well: {counts['ok']} fine, {counts['note']} worth a look. Next: tinyllm tour"


def _safely(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A look that breaks is itself something to fix, and no reason not to look further."""
    try:
        yield from look()
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        yield Finding(
            "fix",
            f"looking at {look.__name__}: {type(error).__name__}: {first}",
            "pip install --force-reinstall tinyllm",
        )


def python() -> Iterator[Finding]:
    """Is Python new enough?"""
    version = tuple(sys.version_info[:3])
    found = ".".join(map(str, version))
    least = ".".join(map(str, _OLDEST_PYTHON))
    if version >= _OLDEST_PYTHON:
        yield Finding("ok", f"Python {found}")
    else:
        yield Finding("fix", f"Python {found} is older than {least}", f"install Python {least} or newer")


def packages() -> Iterator[Finding]:
    """Is every package there, and new enough?"""
    for name, least in needed().items():
        found = version_of(name)
        if found is None:
            yield Finding("fix", f"{name} is not installed", f"pip install '{name}>={least}'")
        elif numbers(found) < numbers(least):
            yield Finding("fix", f"{name} {found} is older than {least}", f"pip install --upgrade '{name}>={least}'")
        else:
            yield Finding("ok", f"{name} {found}")


def compiler() -> Iterator[Finding]:
    """Does Numba compile, and does what it compiles count right?"""
    import numpy as np

    from .. import kernels

    if kernels.backend() != "numba":
        yield Finding(
            "note", f"kernels run on {kernels.backend()}, which is slow", "unset TINYLLM_KERNELS, pip install numba"
        )
        return
    import numba

    began = time.perf_counter()
    if numba.njit(lambda x: x + 1)(41) != 42:  # nothing of this comes from a cache
        yield Finding("fix", "Numba compiles 41 + 1 to something else than 42", "pip install --force-reinstall numba")
        return
    x = np.linspace(-3, 3, 35, dtype=np.float32).reshape(5, 7)
    with kernels.use("numpy"):
        expected = kernels.softmax(x)
    got = kernels.softmax(x)
    if not np.allclose(got, expected, rtol=1e-5):
        yield Finding("fix", "Numba's softmax differs from NumPy's", "TINYLLM_KERNELS=numpy, and report it")
        return
    yield Finding("ok", f"Numba compiles and counts right ({time.perf_counter() - began:.1f} s)")


def blas() -> Iterator[Finding]:
    """Is there a fast BLAS, with as many threads as there are cores?"""
    from .. import kernels
    from ..train import manifest

    name = manifest.facts()["blas"]["name"].lower()
    if any(known in name for known in ("openblas", "mkl", "accelerate", "blis", "armpl")):
        yield Finding("ok", f"BLAS: {name}")
    else:
        yield Finding(
            "note",
            f"BLAS: {name}, which may be slow",
            "pip install --force-reinstall numpy, whose wheels carry OpenBLAS",
        )
    threads, cores = kernels.threads(), _cores()
    if threads > cores:
        yield Finding("note", f"{threads} threads on {cores} cores slow each other down", f"TINYLLM_THREADS={cores}")
    else:
        yield Finding("ok", f"{threads} of {cores} cores in use")
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        value = os.environ.get(variable, "")
        if value and value != str(threads):
            yield Finding(
                "note", f"{variable}={value}, but tinyllm counts on {threads}", f"unset {variable}, set TINYLLM_THREADS"
            )


def caches() -> Iterator[Finding]:
    """Can machine code and downloads be kept?"""
    from .. import assets, kernels

    for what, folder, fix in (
        ("compiled kernels", numba_cache(Path(kernels.__file__).parent), "NUMBA_CACHE_DIR=a folder you may write to"),
        ("downloads", assets.cache_folder(), "TINYLLM_CACHE=a folder you may write to"),
    ):
        if writable(folder):
            yield Finding("ok", f"{what} are kept in {folder}")
        else:
            yield Finding("fix", f"{folder} for {what} cannot be written", fix)


def disk() -> Iterator[Finding]:
    """Can a run be written here, and is there room for it?"""
    here = Path.cwd()
    if not writable(here / "runs"):
        yield Finding(
            "fix", f"{here / 'runs'} cannot be written, and runs go there", "cd to a folder of yours, or --out FOLDER"
        )
        return
    free = shutil.disk_usage(here).free
    if free < _ENOUGH:
        yield Finding(
            "fix", f"only {free / 2**20:.0f} MiB free on this disk", "free at least 200 MiB, or --out on another disk"
        )
    else:
        yield Finding("ok", f"{free / 2**30:.0f} GiB free for runs in {here / 'runs'}")


def terminal() -> Iterator[Finding]:
    """Does the terminal show more than ASCII?"""
    screen = Screen.of()
    encoding = getattr(sys.stdout, "encoding", None) or "unknown"
    if not screen.unicode:
        yield Finding(
            "note", f"the terminal speaks {encoding}: curves are drawn in ASCII", "PYTHONUTF8=1, or LANG=C.UTF-8"
        )
    else:
        kind = "plain lines" if screen.plain else f"colors, {screen.width} columns"
        yield Finding("ok", f"terminal: {encoding}, {kind}")
    if not screen.plain and screen.width < 60:
        yield Finding(
            "note", f"the terminal is {screen.width} columns wide: some lines are cut", "make it 80 columns wide"
        )


def data() -> Iterator[Finding]:
    """Are the texts and vocabularies there that are found by name?"""
    from ..errors import DataError
    from ..train import corpus

    try:
        text = corpus.load("python-manual")
        yield Finding("ok", f"python-manual: {len(text.text):,} characters, no download needed")
    except DataError as error:
        yield Finding("fix", error.message, "a Python with its full standard library, or --data with a file of yours")
    for path in os.environ.get("TINYLLM_DATA", "").split(os.pathsep):
        if path and not Path(path).is_dir():
            yield Finding("fix", f"TINYLLM_DATA names {path}, which is no folder", "correct TINYLLM_DATA, or unset it")
    yield from published()


def published() -> Iterator[Finding]:
    """Which of the files that others published are here, and are they whole?"""
    from .. import assets
    from .data import look

    found = {name: look(name) for name in assets.ASSETS}
    for one in found.values():
        if one.state == "altered":
            yield Finding("fix", one.trouble, one.fix)
    if found["shakespeare"].state == "here":
        yield Finding("ok", "shakespeare: found")
    elif found["shakespeare"].state == "missing":
        yield Finding("ok", "shakespeare: not here yet; --data shakespeare downloads 1.1 MB")
    here = [name for name, one in found.items() if one.state == "here" and name != "shakespeare"]
    yield Finding("ok", f"vocabularies here: {', '.join(here) or 'none yet'} (tinyllm data list)")


LOOKS: list[Callable[[], Iterator[Finding]]] = [python, packages, compiler, blas, caches, disk, terminal, data]


def needed() -> dict[str, str]:
    """Return the packages that tinyllm needs and the oldest version of each that will do."""
    try:
        wanted = requires("tinyllm") or []
    except PackageNotFoundError:  # run from a source folder that was not installed
        wanted = ["numpy>=2.0", "numba>=0.61", "matplotlib>=3.8", "rich>=13"]
    found = {}
    for text in wanted:
        match = re.match(r"([A-Za-z0-9_.-]+)\s*\(?>=\s*([0-9.]+)", text)
        if match and "extra" not in text:
            found[match[1]] = match[2]
    return found


def numbers(version: str) -> tuple[int, ...]:
    """Read a version as numbers that compare.

    Example:
        >>> numbers("2.10.1rc1") > numbers("2.9")
        True
    """
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[a-z+]", version)[0]))


def writable(folder: Path) -> bool:
    """May files be made in a folder, or where it does not exist yet, in the one above it that does?"""
    while not folder.exists():
        if folder.parent == folder:
            return False
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return False
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return file.write(b"1") == 1
    except OSError:  # what rights do not tell: a full disk, a quota
        return False


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
