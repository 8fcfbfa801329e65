"""Files that are not ours to ship: where they are looked for, how they are known, and how they are fetched.

    from tinyllm import assets

    data = assets.read("cl100k_base")       # TINYLLM_DATA, then the cache, then a download

Every file is known by its sha256, wherever it comes from.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .atomic import write_atomically
from .errors import CheckpointError, ConfigError, DataError, nearest

_OPENAI = "https://openaipublic.blob.core.windows.net"
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Asset:
    """A file that somebody else published.

    Attributes:
        name: what it is asked for by.
        path: where it lies in each folder of TINYLLM_DATA and in the cache.
        url: where it was published.
        sha256: of its content.
        size: in bytes.
        about: what it is, in a few words.
    """

    name: str
    path: str
    url: str
    sha256: str
    size: int
    about: str

    def is_whole(self, data: bytes) -> bool:
        """Tell whether these are the bytes that were published."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256


ASSETS = {
    asset.name: asset
    for asset in (
        Asset(
            "shakespeare",
            "corpora/tinyshakespeare.txt",
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            1_115_394,
            "Shakespeare's plays, the text that nanoGPT learns",
        ),
        Asset(
            "r50k_base",
            "encodings/r50k_base.tiktoken",
            f"{_OPENAI}/encodings/r50k_base.tiktoken",
            "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
            835_554,
            "vocabulary of GPT-2 and GPT-3, 50,257 tokens",
        ),
        Asset(
            "p50k_base",
            "encodings/p50k_base.tiktoken",
            f"{_OPENAI}/encodings/p50k_base.tiktoken",
            "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
            836_186,
            "vocabulary of Codex, 50,281 tokens",
        ),
        Asset(
            "cl100k_base",
            "encodings/cl100k_base.tiktoken",
            f"{_OPENAI}/encodings/cl100k_base.tiktoken",
            "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
            1_681_126,
            "vocabulary of GPT-3.5 and GPT-4, 100,277 tokens",
        ),
        Asset(
            "o200k_base",
            "encodings/o200k_base.tiktoken",
            f"{_OPENAI}/encodings/o200k_base.tiktoken",
            "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
            3_613_922,
            "vocabulary of GPT-4o and what came after, 200,019 tokens",
        ),
        Asset(
            "gpt2-vocab.bpe",
            "gpt2/vocab.bpe",
            f"{_OPENAI}/gpt-2/encodings/main/vocab.bpe",
            "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
            456_318,
            "the merges of GPT-2 as first published",
        ),
        Asset(
            "gpt2-encoder.json",
            "gpt2/encoder.json",
            f"{_OPENAI}/gpt-2/encodings/main/encoder.json",
            "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
            1_042_301,
            "the vocabulary of GPT-2 as first published",
        ),
    )
}


def known(name: str) -> Asset:
    """Return the asset of that name.

    Raises:
        ConfigError: there is none; the nearest is named.
    """
    if name not in ASSETS:
        raise ConfigError(
            f"there is no data called {name!r}", hint=nearest(name, ASSETS) or "one of " + ", ".join(ASSETS)
        )
    return ASSETS[name]


def places() -> list[Path]:
    """Return the folders of TINYLLM_DATA, in order."""
    return [Path(folder).expanduser() for folder in os.environ.get("TINYLLM_DATA", "").split(os.pathsep) if folder]


def cache_folder() -> Path:
    """Return where downloads are kept: TINYLLM_CACHE, else tinyllm in XDG_CACHE_HOME, else ~/.cache/tinyllm."""
    if own := os.environ.get("TINYLLM_CACHE"):
        return Path(own).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "tinyllm"
    return Path.home() / ".cache" / "tinyllm"


def read(name: str, path: str | Path | None = None) -> bytes:
    """Return the content of an asset: from ``path`` where given, else TINYLLM_DATA, the cache, or a download.

    Raises:
        ConfigError: there is no asset of that name.
        DataError: a file has another content than was published, or there is none and it cannot be fetched; the
            message says which file to put where.
    """
    asset = known(name)
    if (found := find(name, path)) is not None:
        return found.read_bytes()
    return _fetched(asset, None)


def find(name: str, path: str | Path | None = None) -> Path | None:
    """Return where an asset lies on this machine, checked, or None where it would have to be fetched.

    Raises:
        DataError: the file at ``path`` or in TINYLLM_DATA has another content than was published.
    """
    asset = known(name)
    for candidate in [Path(path).expanduser()] if path else [place / asset.path for place in places()]:
        if candidate.is_file():
            data = candidate.read_bytes()
            if not asset.is_whole(data):
                raise DataError(
                    f"{candidate}: is not {name} as it was published: sha256 is {hashlib.sha256(data).hexdigest()}, "
                    f"expected {asset.sha256}",
                    hint=f"get it again from {asset.url}",
                )
            return candidate
    if path:
        raise DataError(f"{path}: there is no such file", hint=f"get it from {asset.url}")
    cached = cache_folder() / asset.path
    if cached.is_file() and asset.is_whole(cached.read_bytes()):
        return cached
    return None


def fetch(name: str, progress: Callable[[int, int], object] | None = None) -> Path:
    """Return where an asset lies, after a download into the cache where it is nowhere yet.

    Args:
        name: of the asset.
        progress: told (bytes so far, bytes in all) while it arrives.

    Raises:
        ConfigError: there is no asset of that name.
        DataError: it cannot be fetched, or the cache cannot be written.
    """
    asset = known(name)
    if (found := find(name)) is not None:
        return found
    _fetched(asset, progress, must_keep=True)
    return cache_folder() / asset.path


def _fetched(asset: Asset, progress: Callable[[int, int], object] | None, must_keep: bool = False) -> bytes:
    import http.client  # slow to import, and rarely needed

    cached = cache_folder() / asset.path
    by_hand = f"put {asset.url} at {cached} by other means"
    try:
        data = _download(asset, progress)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DataError(
            f"{asset.name}: not found in TINYLLM_DATA or the cache, and the download failed ({error})", hint=by_hand
        ) from None
    if not asset.is_whole(data):
        raise DataError(f"{asset.name}: {asset.url} sent another file than it should (sha256 differs)", hint=by_hand)
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cached, lambda file: file.write(data))
    except (OSError, CheckpointError) as error:
        if must_keep:
            raise DataError(
                f"{asset.name}: cannot be kept at {cached} ({error})", hint="TINYLLM_CACHE=a folder you may write to"
            ) from None
    return data


def _download(asset: Asset, progress: Callable[[int, int], object] | None) -> bytes:
    import urllib.request

    parts, done = [], 0
    with urllib.request.urlopen(asset.url, timeout=20) as response:
        while done <= asset.size and (part := response.read(_CHUNK)):
            parts.append(part)
            done += len(part)
            if progress:
                progress(min(done, asset.size), asset.size)
    return b"".join(parts)
