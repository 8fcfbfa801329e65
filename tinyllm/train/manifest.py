"""The manifest of a run: everything that decides its numbers, so that the run can be had again.

Equal manifests on one machine give bitwise equal parameters. What may differ between two machines, and then lets the
last bits differ, is written down as well: versions, BLAS, the processor, the kernels' back end.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, kernels
from ..errors import CheckpointError

FORMAT = "tinyllm run 1"
_DECIDING = ("versions", "threads", "blas", "kernels", "platform")  # what may change the last bits


def facts() -> dict[str, Any]:
    """Return what is known about this machine and this installation, as JSON can hold it.

    Example:
        >>> sorted(facts())
        ['blas', 'git', 'kernels', 'platform', 'threads', 'versions']
    """
    return {
        "versions": {
            "tinyllm": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "numba": _version("numba"),
        },
        "git": _git(),
        "threads": kernels.threads(),
        "blas": _blas(),
        "kernels": kernels.backend(),
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "processor": _processor(),
        },
    }


def read(path: Path) -> dict[str, Any]:
    """Read a manifest.

    Raises:
        CheckpointError: the file is missing, cut short, or no manifest.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{path.parent}: is no run folder: it has no {path.name}", hint="a folder that train made"
        ) from None
    except NotADirectoryError:
        raise CheckpointError(f"{path.parent}: is a file, not a run folder", hint="a folder that train made") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({type(error).__name__})", hint="create the run again") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CheckpointError(f"{path}: is no manifest of this version of tinyllm ({FORMAT!r})")
    missing = [name for name in ("config", "data", *_DECIDING) if name not in manifest]
    missing += [f"data.{name}" for name in ("name", "sha256", "tokens_sha256") if name not in manifest.get("data", {})]
    if missing:
        raise CheckpointError(f"{path}: lacks {', '.join(missing)}", hint="create the run again")
    return manifest


def differences(manifest: dict[str, Any]) -> list[str]:
    """List what may keep this machine from giving the numbers of a run again, one line for each thing.

    An empty list promises the same numbers to the last bit.
    """
    changed = [
        f"the run was changed when it was resumed at step {part['step']}" for part in manifest.get("resumed", [])
    ]
    return differences_of_machine(manifest) + changed


def differences_of_machine(manifest: dict[str, Any]) -> list[str]:
    """List what is another on this machine than where a run began, as far as it may change the last bits."""
    here = facts()
    found = []
    for name in _DECIDING:
        then, now = manifest[name], here[name]
        if isinstance(then, dict) and isinstance(now, dict):
            found += [f"{name}.{k}: {then.get(k)} then, {now.get(k)} now" for k in now if then.get(k) != now[k]]
        elif then != now:
            found.append(f"{name}: {then} then, {now} now")
    return found


def sha256_of_file(path: Path) -> str:
    """Return the fingerprint of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(saved: dict[str, Any]) -> str:
    """Return the fingerprint of what JSON can hold, however it is laid out in a file.

    Example:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(json.dumps(saved, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git() -> dict[str, Any] | None:
    """Return the commit of the working directory and whether files differ from it; None outside of a repository."""
    try:
        commit = _run_git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_run_git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _run_git(*arguments: str) -> str:
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # looking must not write into the repository
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=10, env=quiet)
    return done.stdout.strip()


def _blas() -> dict[str, str]:
    """Name the BLAS that NumPy was built with, and what of the environment steers its choice of kernels and threads."""
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    steered = {
        name: os.environ[name]
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
        if name in os.environ
    }
    return {"name": str(blas.get("name", "unknown")), "version": str(blas.get("version", "unknown")), **steered}


@functools.cache
def _processor() -> str:
    """Name the processor, as well as this system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
