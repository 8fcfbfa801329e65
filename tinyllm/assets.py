"""Files that are not ours to ship: where they are looked for, how they are known, and how they are fetched.

    from tinyllm import assets

    data = assets.read("cl100k_base")       # TINYLLM_DATA, then the cache, then a download
    folder = assets.find_model("gpt2")      # several files, which make sense together only

Every file is known by its sha256, wherever it comes from.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .atomic import write_atomically
from .errors import CheckpointError, ConfigError, DataError, nearest

_OPENAI = "https://openaipublic.blob.core.windows.net"
_HUB = "https://huggingface.co"
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

    def is_whole_at(self, path: Path) -> bool:
        """Tell whether a file is the one that was published, without having it in memory."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


@dataclass(frozen=True)
class ModelAsset:
    """A model that somebody else published: files of one folder.

    Attributes:
        name: what it is asked for by.
        files: what it consists of; each lies in the same folder, or below it.
        about: what it is, in a few words.
    """

    name: str
    files: tuple[Asset, ...]
    about: str

    @property
    def size(self) -> int:
        """In bytes, of all files."""
        return sum(file.size for file in self.files)

    @property
    def path(self) -> str:
        """Where its folder lies in each folder of TINYLLM_DATA and in the cache."""
        return f"models/{self.name}"


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


def _model(name: str, url: str, about: str, **files: tuple[int, str]) -> ModelAsset:
    made = []
    for spelled, (size, sha256) in files.items():
        made.append(Asset(f"{name}/{spelled}", f"models/{name}/{spelled}", f"{url}/{spelled}", sha256, size, about))
    return ModelAsset(name, tuple(made), about)


MODELS = {
    model.name: model
    for model in (
        _model(
            "gpt2",
            f"{_HUB}/openai-community/gpt2/resolve/607a30d783dfa663caf39e06633721c8d4cfcd7e",
            "GPT-2, the small one: 124 million parameters",
            **{
                "config.json": (665, "0daed7749b4f02b8f76240d5444551d7b08712dab4d0adb8239c56ba823bb7b4"),
                "generation_config.json": (124, "ed0b32ac72c0f5f44a719abb2d7786ea5146c871f83717b7f2018065954de02b"),
                "tokenizer.json": (1_355_256, "8414cab924d8b9b33013f0d221c5862f365ee9be39c5c2bfae8a5a9e970478a6"),
                "model.safetensors": (548_105_171, "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707"),
            },
        ),
        _model(
            "minilm",
            f"{_HUB}/sentence-transformers/all-MiniLM-L6-v2/resolve/1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
            "all-MiniLM-L6-v2, an encoder of sentences: 23 million parameters",
            **{
                "config.json": (612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
                "modules.json": (349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
                "sentence_bert_config.json": (53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"),
                "1_Pooling/config.json": (190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
                "tokenizer_config.json": (350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
                "vocab.txt": (231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
                "model.safetensors": (90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            },
        ),
        _model(
            "stories260K",
            f"{_HUB}/karpathy/tinyllamas/resolve/0bd21da7698eaf29a0d7de3992de8a46ef624add/stories260K",
            "a Llama that tells children's stories: 260 thousand parameters",
            **{
                "stories260K.bin": (1_056_540, "b0a507e7ad0f626624f17112325e66691f9076d622e1d3274d103d00299f2696"),
                "tok512.bin": (6_227, "037cb335abb25d1fa9e8ecae30ed2a3a8ace9302862ebcdc05d51a6bbb10c312"),
            },
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


def known_model(name: str) -> ModelAsset:
    """Return the published model of that name.

    Raises:
        ConfigError: there is none; the nearest is named.
    """
    if name not in MODELS:
        raise ConfigError(
            f"there is no model called {name!r}", hint=nearest(name, MODELS) or "one of " + ", ".join(MODELS)
        )
    return MODELS[name]


def find_model(name: str) -> Path | None:
    """Return the folder in which a published model lies whole, None where it would have to be fetched.

    Raises:
        ConfigError: there is no model of that name.
        DataError: all files are in a folder of TINYLLM_DATA, and one has another content than was published.
    """
    model = known_model(name)
    for place in (*places(), cache_folder()):
        if all((place / file.path).is_file() for file in model.files):
            altered = [file for file in model.files if not file.is_whole_at(place / file.path)]
            if not altered:
                return place / model.path
            if place != cache_folder():  # what is in the cache can be fetched again
                raise DataError(
                    f"{place / altered[0].path}: is not {altered[0].name} as it was published",
                    hint=f"get it again from {altered[0].url}",
                )
    return None


def fetch_model(name: str, progress: Callable[[Asset, int, int], object] | None = None) -> Path:
    """Return the folder of a published model, after a download into the cache where it is nowhere yet.

    Files go to the disk as they arrive, and those that are whole are not fetched again.

    Args:
        name: of the model.
        progress: told (file, bytes so far, bytes in all) while one arrives.

    Raises:
        ConfigError: there is no model of that name.
        DataError: a file cannot be fetched, or the cache cannot be written.
    """
    if (found := find_model(name)) is not None:
        return found
    for file in known_model(name).files:
        if not file.is_whole_at(cache_folder() / file.path):
            _store(file, progress)
    return cache_folder() / known_model(name).path


def _store(asset: Asset, progress: Callable[[Asset, int, int], object] | None) -> None:
    """Let a download arrive in the cache, where it takes its name only if it is whole."""
    cached = cache_folder() / asset.path
    by_hand = f"put {asset.url} at {cached} by other means"

    def write(file: IO[bytes]) -> None:
        seen = hashlib.sha256()
        for part in _arriving(asset, progress and (lambda done, total: progress(asset, done, total)), by_hand):
            seen.update(part)
            file.write(part)
        if seen.hexdigest() != asset.sha256:
            raise DataError(f"{asset.name}: {asset.url} sent another file than it should: sha256", hint=by_hand)

    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cached, write)
    except (OSError, CheckpointError) as error:
        raise DataError(
            f"{asset.name}: cannot be kept at {cached} ({error})", hint="TINYLLM_CACHE=a folder you may write to"
        ) from None


def _arriving(asset: Asset, progress: Callable[[int, int], object] | None, by_hand: str) -> Iterator[bytes]:
    """Yield what a server sends, and tell its troubles from those of the disk."""
    import http.client  # slow to import, and rarely needed

    try:
        yield from _parts(asset, progress)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DataError(
            f"{asset.name}: not found in TINYLLM_DATA or the cache, and the download failed ({error})", hint=by_hand
        ) from None


def _fetched(asset: Asset, progress: Callable[[int, int], object] | None, must_keep: bool = False) -> bytes:
    cached = cache_folder() / asset.path
    by_hand = f"put {asset.url} at {cached} by other means"
    data = b"".join(_arriving(asset, progress, by_hand))
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


def _parts(asset: Asset, progress: Callable[[int, int], object] | None) -> Iterator[bytes]:
    """Yield what a server sends, piece by piece, and no more than one piece beyond what it should."""
    import urllib.request

    done = 0
    with urllib.request.urlopen(asset.url, timeout=20) as response:
        while done <= asset.size and (part := response.read(_CHUNK)):
            done += len(part)
            yield part
            if progress:
                progress(min(done, asset.size), asset.size)
