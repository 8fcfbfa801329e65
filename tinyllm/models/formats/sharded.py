"""Sharded weights: one model in several safetensors files, with an index that says which tensor is where.

    model-00001-of-00002.safetensors     model-00002-of-00002.safetensors     model.safetensors.index.json

    {"metadata": {"total_size": bytes of all values}, "weight_map": {"name": "model-00001-of-00002.safetensors", ...}}

The index is held to its files in both directions: what it names must be in the file it names, and no file may hold
what it does not name. A model that fits one file is that file alone, model.safetensors, without an index;
`open_tensors` opens either.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic import cannot_write, write_json
from ...errors import CheckpointError, nearest
from .safetensors import MissingTensor, Raw, SafeTensors, save, stored_size, stored_types
from .tensor_header import Entry

Array = np.ndarray[Any, np.dtype[Any]]

WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")


class Shards(Mapping[str, Entry]):
    """Tensors in several files, read as if they were in one: the same methods as SafeTensors.

    Args:
        path: the index, or the folder that it is in.

    Raises:
        CheckpointError: the index or a file is missing or damaged, or they disagree about which tensor is where.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> tensors = {"a": np.zeros(10, np.float32), "b": np.ones(10, np.float32)}
        >>> files = save_sharded(folder, tensors, max_shard_size=40)
        >>> shards = Shards(folder)
        >>> [file.name for file in files], sorted(shards), shards.read("b").sum()
        (['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'], ['a', 'b'], np.float32(10.0))
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path) / INDEX if Path(path).is_dir() else Path(path)
        self.index_metadata, weight_map = _read_index(self.path)
        self.files = {name: _open_shard(self.path, name) for name in sorted(set(weight_map.values()))}
        self._where = {name: self.files[weight_map[name]] for name in weight_map}
        self._check(weight_map)

    @property
    def metadata(self) -> dict[str, str] | None:
        """What the files say of themselves; where they differ, the first one that says something."""
        merged: dict[str, str] = {}
        for file in reversed(self.files.values()):
            merged.update(file.metadata or {})
        return merged or None

    def __getitem__(self, name: str) -> Entry:
        return self._file(name)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, name: object) -> bool:
        return name in self._where

    def view(self, name: str) -> Array:
        """Return the stored values, read-only and without a copy: see SafeTensors.view."""
        return self._file(name).view(name)

    def read(self, name: str, dtype: Any = None) -> Array:
        """Return a tensor as an array of one's own: see SafeTensors.read."""
        return self._file(name).read(name, dtype)

    def raw(self, name: str) -> Raw:
        """Return a tensor as it is stored: see SafeTensors.raw."""
        return self._file(name).raw(name)

    def private(self, name: str) -> Array | None:
        """Return the stored values to be written to, while the file stays as it is: see SafeTensors.private."""
        return self._file(name).private(name)

    def let_go(self, name: str) -> None:
        """Stop counting a tensor as memory of this process: see SafeTensors.let_go."""
        self._file(name).let_go(name)

    def close(self) -> None:
        """Close all files."""
        for file in self.files.values():
            file.close()

    def __enter__(self) -> Shards:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _file(self, name: str) -> SafeTensors:
        try:
            return self._where[name]
        except KeyError:
            raise MissingTensor(
                f"{self.path}: has no tensor {name!r} among its {len(self)}", hint=nearest(str(name), self._where)
            ) from None

    def _check(self, weight_map: Mapping[str, str]) -> None:
        absent = [name for name, file in self._where.items() if name not in file]
        if absent:
            places = f"{_few(absent)} should be in {weight_map[absent[0]]} and "
            raise CheckpointError(
                f"{self.path}: {places}{'is' if len(absent) == 1 else 'are'} not", hint="fetch the files of one version"
            )
        for file_name, file in self.files.items():
            stray = [name for name in file if weight_map.get(name) != file_name]
            if stray:
                raise CheckpointError(
                    f"{self.path}: {file_name} holds {_few(stray)}, which the index places "
                    f"{'in ' + weight_map[stray[0]] if stray[0] in weight_map else 'nowhere'}",
                    hint="fetch the files of one version",
                )


def open_tensors(path: str | os.PathLike[str]) -> SafeTensors | Shards:
    """Open the weights at a path: a .safetensors file, an index of shards, or a folder with either.

    A folder with both gives model.safetensors, as transformers does.

    Raises:
        CheckpointError: nothing of the kind is there, or it is damaged. A pickle is refused; the hint converts it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = save_sharded(folder, {"a": np.zeros(3)})
        >>> open_tensors(folder).path.name
        'model.safetensors'
    """
    path = Path(path)
    if not path.is_dir():
        return Shards(path) if path.name.endswith(".index.json") else SafeTensors(path)
    if (path / WHOLE).exists():
        return SafeTensors(path / WHOLE)
    if (path / INDEX).exists():
        return Shards(path / INDEX)
    pickles = sorted(file.name for pattern in ("*.bin", "*.pth", "*.pt") for file in path.glob(pattern))
    if pickles:
        raise CheckpointError(
            f"{path}: has no {WHOLE}, and {pickles[0]} may be a pickle, which can run code when it is read",
            hint=f"safetensors.torch.save_file(torch.load({pickles[0]!r}, weights_only=True), {WHOLE!r}), with torch",
        )
    raise CheckpointError(f"{path}: has neither {WHOLE} nor {INDEX}", hint="a folder as transformers saves it")


def save_sharded(
    folder: str | os.PathLike[str],
    tensors: Mapping[str, Array | Raw],
    metadata: Mapping[str, str] | None = None,
    floats: str | None = None,
    max_shard_size: int | str = "5GB",
) -> list[Path]:
    """Write tensors into as many files as they need, in the order given; into one without an index when they fit.

    All shards are first written under another folder inside, so that an error leaves older weights as they were; for a
    while both take room on the disk. Then they move into place: the old index goes first and the new one comes last, so
    that what a killed process leaves between is found out, and never read as a mixture. Files of an earlier save that
    the new one does not use are deleted.

    Args:
        folder: where to; made if need be.
        tensors: name -> array, or Raw.
        metadata, floats: as for `save`, in each file.
        max_shard_size: bytes of values per file: a number, or a text such as "500MB" (powers of 1000; "MiB": of 1024).
            A tensor larger than that gets a file of its own.

    Returns:
        The files, without the index.

    Raises:
        CheckpointError: as `save`; also for a size that makes no sense.
    """
    folder = Path(folder)
    groups, total = _groups(tensors, stored_types(tensors, floats), parse_size(max_shard_size))
    alone = len(groups) == 1
    names = [WHOLE] if alone else [f"model-{n:05d}-of-{len(groups):05d}.safetensors" for n in range(1, len(groups) + 1)]
    stage = folder / f".saving.{os.getpid()}"
    try:
        stage.mkdir(parents=True, exist_ok=True)
        for name, group in zip(names, groups, strict=True):
            save(stage / name, {key: tensors[key] for key in group}, metadata, floats)
        if not alone:
            (folder / INDEX).unlink(missing_ok=True)
        for name in names:
            os.replace(stage / name, folder / name)
        if alone:
            (folder / INDEX).unlink(missing_ok=True)
        else:
            weight_map = {key: name for name, group in zip(names, groups, strict=True) for key in group}
            write_json(
                folder / INDEX, {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
            )
        for old in folder.iterdir():
            if old.name not in names and (_SHARD.fullmatch(old.name) or old.name == WHOLE):
                old.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return [folder / name for name in names]


def parse_size(size: int | str) -> int:
    """Return a number of bytes for a number, or for a text with a unit.

    Raises:
        CheckpointError: it is neither, or less than one byte.

    Example:
        >>> parse_size("5GB"), parse_size("1.5 KiB"), parse_size(7)
        (5000000000, 1536, 7)
    """
    found = (
        re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([KMG]I?B)", size.strip().upper()) if isinstance(size, str) else None
    )
    value = int(float(found[1]) * UNITS[found[2]]) if found else size
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise CheckpointError(f"max_shard_size is {size!r}", hint='"5GB", "500MB", or a number of bytes')
    return value


def _groups(tensors: Mapping[str, Array | Raw], kinds: Mapping[str, str], most: int) -> tuple[list[list[str]], int]:
    """Fill files one after another with names, each up to `most` bytes; also return the bytes of all."""
    groups: list[list[str]] = [[]]
    filled = total = 0
    for name, tensor in tensors.items():
        size = stored_size(tensor, kinds[name])
        if groups[-1] and filled + size > most:
            groups.append([])
            filled = 0
        groups[-1].append(name)
        filled += size
        total += size
    return groups, total


def _read_index(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        index = json.loads(path.read_bytes(), object_pairs_hook=_once)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such index", hint=f"a folder with {WHOLE} or {INDEX}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is no index: {error}", hint="fetch it again") from None
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{path}: lacks weight_map, which says where each tensor is", hint="fetch it again")
    for name, file in weight_map.items():
        plain = isinstance(file, str) and file.isprintable() and not set(file) & set("/\\:") and file.strip(". ")
        if not plain or not file.endswith(".safetensors"):
            raise CheckpointError(
                f"{path}: places {name!r} in {file!r}", hint="the name of a .safetensors file beside the index"
            )
    about = index.get("metadata")
    return about if isinstance(about, dict) else {}, weight_map


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary, unless a key is there twice: then it would depend on the reader which one counts."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name is there twice")
    return made


def _open_shard(index: Path, name: str) -> SafeTensors:
    if not (index.parent / name).exists():
        raise CheckpointError(f"{index}: names {name}, which is not beside it", hint="fetch all files of the model")
    return SafeTensors(index.parent / name)


def _few(names: list[str]) -> str:
    """Write at most three names, and how many more there are."""
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + rest
