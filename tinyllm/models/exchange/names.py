"""Tensors under other names: how those of one of our models become those of a file, and the way back.

Each of our tensors is one or more of theirs, put below each other: where transformers keeps queries, keys and values
apart, we have one matrix. Some of theirs lie on their side (GPT-2's Conv1D, [in, out]). A table of such entries is all
that a family needs; it is read in both directions, and nothing is ever passed over in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ...errors import CheckpointError, nearest
from ...nn import Module

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]
M = TypeVar("M", bound=Module)

MOST = 5  # names of one kind that an error lists
THEIR_CONFIG = "the config.json that was saved with these tensors"


@dataclass(frozen=True)
class Renamed:
    """One of our tensors, and those of theirs whose rows it is made of.

    Attributes:
        ours, theirs: names.
        shapes: of theirs, as rows of ours: (out, in) even where a file has them on their side.
        turned: do files hold them as [in, out]?

    Example:
        >>> entry = Renamed("ab", ("a", "b"), ((1, 2), (2, 2)))
        >>> [(name, part.tolist()) for name, part in entry.parts(np.arange(6).reshape(3, 2))]
        [('a', [[0, 1]]), ('b', [[2, 3], [4, 5]])]
    """

    ours: str
    theirs: tuple[str, ...]
    shapes: tuple[Shape, ...]
    turned: bool = False

    def parts(self, array: Array) -> Iterator[tuple[str, Array]]:
        """Yield the name of each of theirs and its values in our ``array``: a view, in the shape that files have."""
        start = 0
        for name, shape in zip(self.theirs, self.shapes, strict=True):
            rows = array[start : start + shape[0]]
            yield name, rows.T if self.turned else rows
            start += shape[0]


def blank(family: Callable[..., M], config: Any, dtype: Any) -> M:
    """Make a model whose numbers are about to be replaced: they are zeros, which take no memory until then.

    Args:
        family: the class of the model.
        config: its config.
        dtype: floating-point dtype of its numbers.
    """

    def zeros(rng: np.random.Generator, shape: Shape) -> Array:
        return np.zeros(shape, np.float32)

    model = family(config, np.random.default_rng(0), init=zeros)
    return model if np.dtype(dtype) == np.float32 else model.astype(dtype)


def give(model: Module, entries: Iterable[Renamed]) -> dict[str, Array]:
    """Return a model's tensors under their names; views, so copy what should stay."""
    own = {name: p.data for name, p in model.named_parameters()}
    return {name: part for entry in entries for name, part in entry.parts(own[entry.ours])}


def take(model: Module, entries: Iterable[Renamed], arrays: Mapping[str, Any]) -> None:
    """Put tensors under their names into a model, one at a time, once the three that refuse have seen them.

    They are copied, but for those that are a whole parameter as they are, of a mapping that gives them away:
    ``private(name)`` is such an array, or None.
    """
    private = getattr(arrays, "private", lambda name: None)
    own = dict(model.named_parameters())
    for entry in entries:
        p, name = own[entry.ours], entry.theirs[0]
        given = None if entry.turned or len(entry.theirs) > 1 else private(name)
        if given is not None and (given.shape, given.dtype) == (p.shape, p.dtype):
            p.data = given
            continue
        for name, part in entry.parts(p.data):
            part[...] = arrays[name]


def refuse_other_shapes(entries: Iterable[Renamed], arrays: Mapping[str, Any], title: str) -> None:
    """Refuse tensors of another shape than the model's, before it is made: a config may promise any size.

    Args:
        entries: what must be there, and is.
        arrays: name -> array; a mapping that knows shapes and types without reading says so as ``about(name)``.
        title: the family, for the message.

    Raises:
        CheckpointError: some have another shape, or are no floating-point numbers; the message lists them.
    """
    about = getattr(arrays, "about", None)
    unfit = []
    for entry in entries:
        for name, shape in zip(entry.theirs, entry.shapes, strict=True):
            wanted = shape[::-1] if entry.turned else shape
            found, kind = about(name) if about else _about(np.asarray(arrays[name]))
            if found != wanted or "float" not in kind:
                unfit.append(f"{name} {found} {kind}, not {wanted}")
    if unfit:
        raise CheckpointError(
            f"{title}: {len(unfit)} tensors of another shape or kind: {listed(unfit)}", hint=THEIR_CONFIG
        )


def refuse_other_names(
    entries: Iterable[Renamed],
    given: Iterable[str],
    title: str,
    may_be: Callable[[str], bool] = lambda name: False,
    hints: Mapping[str, str] | None = None,
) -> None:
    """Refuse tensors that are missing, or that nobody asked for.

    Args:
        entries: what must be there.
        given: names that are there.
        title: the family, for the message.
        may_be: tells of any other name whether it may be there.
        hints: name -> what to try when it is missing.

    Raises:
        CheckpointError: names are missing or extra; the message lists them, each extra one with the nearest of ours.

    Example:
        >>> refuse_other_names([Renamed("a", ("x.weight",), ((1,),))], ["x.wieght"], "Toy")
        Traceback (most recent call last):
            ...
        tinyllm.errors.CheckpointError: E-CHECKPOINT Toy: the tensors do not fit: 1 missing: x.weight; 1 extra: x.wieght
            (nearest: x.weight). Try: the config.json that was saved with these tensors
    """
    wanted = {name for entry in entries for name in entry.theirs}
    names = set(given)
    missing = sorted(wanted - names)
    extra = sorted(name for name in names - wanted if not may_be(name))
    faults = []
    if missing:
        faults.append(f"{len(missing)} missing: {listed(missing)}")
    if extra:
        faults.append(f"{len(extra)} extra: {listed([_beside_nearest(name, missing or wanted) for name in extra])}")
    if faults:
        hint = next((hint for name, hint in (hints or {}).items() if name in missing), THEIR_CONFIG)
        raise CheckpointError(f"{title}: the tensors do not fit: {'; '.join(faults)}", hint=hint)


def refuse_another_head(arrays: Mapping[str, Any], head: str, embedding: str, title: str) -> None:
    """Refuse a head that is stored although it is tied, unless it is the embedding's matrix.

    Raises:
        CheckpointError: the two differ.
    """
    if head in arrays and not np.array_equal(arrays[head], arrays[embedding]):
        raise CheckpointError(
            f"{title}: the head is tied, and yet {head} is there and differs from {embedding}",
            hint="tie_word_embeddings=false in config.json, if the head is its own",
        )


def listed(names: list[str]) -> str:
    """Write down the first few names and how many more there are.

    Example:
        >>> listed(list("abcdefg"))
        'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more


def _beside_nearest(name: str, candidates: Iterable[str]) -> str:
    close = nearest(name, candidates)
    return f"{name} (nearest: {close})" if close else name


def _about(array: Array) -> tuple[Shape, str]:
    return array.shape, array.dtype.name
