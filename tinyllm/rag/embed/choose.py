"""Which embedder: the one that was asked for, or the best that can be had here, and why."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...errors import ConfigError, DataError, nearest
from .lsa import LSA
from .minilm import GET, VARIABLE, MiniLMEmbedder
from .remote import Remote

NAMES = ("auto", "remote", "minilm", "lsa")


def embedder(
    name: str = "auto",
    texts: Sequence[str] | None = None,
    *,
    remote: Remote | None = None,
    path: str | os.PathLike[str] | None = None,
    dim: int = 200,
    seed: int = 0,
) -> Remote | MiniLMEmbedder | LSA:
    """Return an embedder, whose attribute ``why`` says in a line why it is this one.

    "auto" takes the remote one if there is one; else MiniLM if its weights are found; else LSA. None of them is the
    best everywhere: ``compare`` them on your own collection.

    Args:
        name: "auto", "remote", "minilm" or "lsa".
        texts: what LSA learns from; without them whoever has the texts calls ``fit``.
        remote: the service, if you use one; nothing is ever sent anywhere without it.
        path: of MiniLM's weights.
        dim: of LSA.
        seed: of LSA.

    Raises:
        ConfigError: another name, or "remote" without one.
        DataError: MiniLM was asked for by name, by ``path`` or by TINYLLM_MINILM, and its weights are not there; or
            LSA has nothing to learn from.

    Example:
        >>> chosen = embedder("lsa", ["a duck swims", "a star shines"])
        >>> chosen.dim, chosen.why
        (2, 'LSA: it was asked for')
    """
    if name not in NAMES:
        raise ConfigError(f"embedder({name!r})", hint=nearest(name, NAMES) or "one of " + ", ".join(NAMES))
    if name == "remote" and remote is None:
        raise ConfigError('embedder("remote"): there is none', hint="remote=Remote(call, id, dim)")
    if remote is not None and name in ("auto", "remote"):
        remote.why = f"remote: {'it was asked for' if name == 'remote' else 'you have configured one'}"
        return remote
    if name in ("auto", "minilm"):
        try:
            minilm = MiniLMEmbedder(path)
        except DataError:
            if name == "minilm" or path or os.environ.get(VARIABLE):  # the user has said that it is there
                raise
        else:
            minilm.why = f"MiniLM: its weights are in {minilm.folder}"
            return minilm
    lsa = LSA(dim, seed)
    lsa.why = "LSA: it was asked for" if name == "lsa" else f"LSA: MiniLM's weights were not found ({GET})"
    return lsa if texts is None else lsa.fit(texts)
