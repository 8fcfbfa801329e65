"""Which matrix products are ours and which BLAS calculates: measured once on a machine, and then looked up.

A product belongs to a class: its dtype, the way both matrices lie in memory ("nn", "nt" or "tn": n for rows, t for
columns, as in x w^T), and whether there is little of it, much of it, or much more along one axis than the others. For
each class ``measure`` times one product both ways and writes down the result, in TINYLLM_CACHE or the user's cache
folder, one file for a machine and a version of the kernels. ``tinyllm warm`` does so and nothing else: a run must not
change its bits because of what was measured in passing, so before there is a file all products are ours, if the
processor has multiply-adds of vectors. What is picked does not depend on how many threads there are.

BLAS has to be a tenth faster to be picked. Its threads go on spinning for a while when it is done, on the cores that
whatever comes next would like to have, and its bits depend on how many there are. For the same reason little products
are not measured at all: waking its threads for one costs the next kernel more than the product can save.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_json
from ..errors import CheckpointError

FORMS = ("nn", "nt", "tn")
# Of each class of shapes, the (M, N, K) that is measured.
SHAPES = {
    "even": (768, 384, 256),
    "wide": (192, 8192, 128),
    "tall": (8192, 128, 192),
    "deep": (192, 128, 8192),
}
LITTLE = 1 << 21  # multiply-adds: some 40 microseconds
LONG = 8192  # rows, columns or terms that make a product tall, wide or deep
MARGIN = 1.1
ROUNDS = 6

Times = dict[str, float]  # {"ours": seconds, "blas": seconds}


def shape_class(M: int, N: int, K: int, stack: int = 1) -> str:
    """Return the name of the class that a stack of products (M, K) @ (K, N) belongs to.

    Example:
        >>> shape_class(768, 384, 128), shape_class(768, 50304, 128), shape_class(8, 8, 8)
        ('even', 'wide', 'little')
    """
    if M * N * K * stack < LITTLE:
        return "little"
    longest = max(M, N, K)
    if longest < LONG:
        return "even"
    return "wide" if longest == N else "tall" if longest == M else "deep"


@cache
def pick(dtype: str, form: str, shape: str) -> str:
    """Return "ours" or "blas" for a class: a dtype's code ("f" or "d"), a form, and a shape's class.

    Example:
        >>> pick("f", "nn", "even") in ("ours", "blas")
        True
    """
    times = _known().get(f"{dtype} {'tn' if form == 'tt' else form} {shape}")
    if times is None:
        return default()
    return "blas" if times["ours"] > MARGIN * times["blas"] else "ours"


def table() -> dict[str, dict[str, Any]]:
    """Return every class that has been measured here: {"f nn even": {"pick": "ours", "ours": ..., "blas": ...}, ...}.

    The times are in seconds. Without a measurement the table is empty: ``default`` holds for all.

    Example:
        >>> all(row["pick"] in ("ours", "blas") for row in table().values())
        True
    """
    return {name: {"pick": pick(*name.split()), **times} for name, times in sorted(_known().items())}


@cache
def default() -> str:
    """Return what is picked for a class that has not been measured: "ours" or "blas".

    Example:
        >>> default() in ("ours", "blas")
        True
    """
    from .jit import registers

    return "ours" if registers.FUSED else "blas"


def settle(dtype: Any = np.float32) -> None:
    """Measure this dtype's classes unless they have been on this machine, with these kernels.

    A folder that cannot be written to is no error: the measurement then holds for this process.
    """
    code = np.dtype(dtype).char
    known = _known()
    if all(f"{code} {form} {shape}" in known for form in FORMS for shape in SHAPES):
        return
    known.update(measure(dtype))
    pick.cache_clear()
    try:
        place().parent.mkdir(parents=True, exist_ok=True)
        write_json(place(), {"machine": machine(), "seconds": known})
    except (OSError, CheckpointError):
        return


def measure(dtype: Any = np.float32) -> dict[str, Times]:
    """Time one product of each class, first all of ours, then all of BLAS, whose threads would be in the way of ours.

    The kernels must have been compiled; it takes about half a second.
    """
    from .jit import products

    rng = np.random.default_rng(0)
    cases: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    for shape, (M, N, K) in SHAPES.items():
        a, b = rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((K, N)).astype(dtype)
        for form in FORMS:
            first = np.asfortranarray(a) if form[0] == "t" else a
            second = np.asfortranarray(b) if form[1] == "t" else b
            cases[f"{np.dtype(dtype).char} {form} {shape}"] = first, second, np.empty((M, N), dtype)
    ours, blas = _seconds(products.ours, cases), _seconds(np.matmul, cases)
    return {name: {"ours": ours[name], "blas": blas[name]} for name in cases}


def _seconds(product: Callable[[Any, Any, Any], object], cases: dict[str, Any]) -> Times:
    """Return the least time of each case in a few rounds: what else runs on the machine can only make it longer."""
    least = dict.fromkeys(cases, math.inf)
    for _ in range(ROUNDS):
        for name, (a, b, c) in cases.items():
            start = time.perf_counter()
            product(a, b, c)
            least[name] = min(least[name], time.perf_counter() - start)
    return least


def place() -> Path:
    """Return the file that holds the measurements for this machine.

    Example:
        >>> place().suffix
        '.json'
    """
    own, shared = os.environ.get("TINYLLM_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if own:
        folder = Path(own).expanduser()
    else:
        folder = Path(shared) / "tinyllm" if shared else Path.home() / ".cache" / "tinyllm"
    name = hashlib.sha256(json.dumps(machine(), sort_keys=True).encode()).hexdigest()[:16]
    return folder / "products" / f"{name}.json"


@cache
def machine() -> dict[str, Any]:
    """Return all that a measurement depends on.

    Example:
        >>> sorted(machine())
        ['kernels', 'numpy', 'processor']
    """
    from .jit import registers

    folder = Path(__file__).parent / "jit"
    sources = [folder / f"{name}.py" for name in ("matmul", "packing", "registers")]
    return {
        "processor": f"{platform.machine()} {registers.PROCESSOR}",
        "numpy": np.__version__,
        "kernels": hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16],
    }


@cache
def _known() -> dict[str, Times]:
    """Return the measurements for this machine, read once; none where the file is missing, damaged or another's."""
    try:
        held = json.loads(place().read_bytes())
        if held["machine"] != machine():
            return {}
        return {name: {who: float(times[who]) for who in ("ours", "blas")} for name, times in held["seconds"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
