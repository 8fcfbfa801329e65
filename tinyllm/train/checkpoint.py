"""Checkpoints: all of a run's state in one .npz file, written atomically, checked when it is read.

An .npz file is a zip of arrays; no pickle, so reading one runs no code. Beside the arrays it holds "about": JSON with a
format marker, numbers and random states, and a sha256 over all arrays, so that a damaged file is found out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..atomic import write_atomically
from ..errors import CheckpointError

Array = np.ndarray[Any, Any]

FORMAT = "tinyllm checkpoint 1"


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        arrays: name -> array; names begin with "model." or "optimizer.".
        about: numbers, texts and random states, as JSON can hold them.
    """

    arrays: dict[str, Array]
    about: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Array]:
        """Return the arrays whose names begin with ``prefix`` and a dot, without it."""
        return {name.removeprefix(prefix + "."): a for name, a in self.arrays.items() if name.startswith(prefix + ".")}


def save(path: Path, arrays: Mapping[str, Array], about: Mapping[str, Any], keeps: str = "") -> None:
    """Write a checkpoint; at every moment the file at ``path`` is the old one or the new one, whole.

    Args:
        path: where to; its folder must exist.
        arrays: name -> array.
        about: all else, as JSON can hold it.
        keeps: what an error says about the file that stays.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; the old file is untouched.
    """
    marked = {**about, "format": FORMAT, "sha256": _fingerprint(arrays)}
    text = np.frombuffer(json.dumps(marked, allow_nan=False).encode(), np.uint8)

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in {"about": text, **arrays}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)

    write_atomically(path, write, keeps)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and make sure that it is whole.

    Raises:
        CheckpointError: the file is missing, cut short, damaged, or something else than a checkpoint of ours.
    """
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            arrays = {name.removesuffix(".npy"): _member(archive, name) for name in archive.namelist()}
        about = json.loads(arrays.pop("about").tobytes()) if "about" in arrays else None
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no checkpoint yet", hint="train the run first") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        what = "is damaged or cut short" if _looks_like_zip(path) else "is not a checkpoint of tinyllm"
        raise CheckpointError(
            f"{path}: {what} ({type(error).__name__})", hint="another checkpoint of this run, such as best.npz"
        ) from None
    if not isinstance(about, dict) or not str(about.get("format", "")).startswith("tinyllm checkpoint"):
        raise CheckpointError(f"{path}: is not a checkpoint of tinyllm", hint="the checkpoint.npz of a run folder")
    if about["format"] != FORMAT:
        raise CheckpointError(f"{path}: has the format {about['format']!r}, and this version reads {FORMAT!r}")
    if about.get("sha256") != _fingerprint(arrays):
        raise CheckpointError(
            f"{path}: is damaged: its checksum is wrong", hint="another checkpoint of this run, such as best.npz"
        )
    return Checkpoint(arrays, about)


def _member(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(name) as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):  # reading to the end makes zipfile compare the checksum of the member
            raise ValueError("there is more than an array")
    return array


def _fingerprint(arrays: Mapping[str, Array]) -> str:
    """Hash names, dtypes, shapes and contents."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def _looks_like_zip(path: Path) -> bool:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read(2) == b"PK"
    return False
