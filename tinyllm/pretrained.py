"""A model together with its tokenizer, from and to files: ``tl.load`` and ``tl.save``.

    model, tokenizer = tl.load("gpt2/")              # a folder of transformers, a GGUF file, llama2.c's .bin,
    model, tokenizer = tl.load("runs/shakespeare")   # or a run of ours
    tl.save(model, tokenizer, "mine/")               # opens in transformers
    tl.save(model, tokenizer, "mine.gguf", format="gguf")

The weights are the business of ``models.pretrained``, the vocabulary that of ``tokenizer.files``; here they meet.
A tokenizer that no other tool can read (characters, bytes, a pattern of one's own) is saved in our own format, under a
name that no other tool looks for, and the logger of this module says so.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import assets
from .atomic import write_atomically
from .errors import CheckpointError, ConfigError, DataError, nearest

if TYPE_CHECKING:
    from .models.pretrained import Loaded
    from .tokenizer import Tokenizer

FORMATS = ("hf", "gguf")
OWN = "tinyllm_tokenizer.json"  # in a folder of transformers
OWN_KEY = "tinyllm.tokenizer"  # in a GGUF file
TEMPLATE, TEMPLATE_KEY = "chat_template.jinja", "tokenizer.chat_template"
# of tokenizer_config.json, what belongs to the vocabulary and not to the class that transformers takes for it
KEPT = ("chat_template", "bos_token", "eos_token", "unk_token", "pad_token", "model_max_length")
GGUF_KINDS = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "Q8_0": "Q8_0", "Q4_0": "Q4_0"}
END = "<|endoftext|>"
_LOG = logging.getLogger(__name__)


def load(
    path: str | Path, *, dtype: Any = np.float32, tokenizer: str | Path | Tokenizer | None = None
) -> tuple[Any, Tokenizer | None]:
    """Load a model and its tokenizer.

    Args:
        path: a folder as transformers saves it, a GGUF file, llama2.c's .bin, a run folder of ours (whose best weights
            are taken), or the name of a published model that is here (``tinyllm data get``).
        dtype: floating-point dtype of the model's numbers, whatever the file has.
        tokenizer: one, or the file or folder of one, instead of that beside the weights.

    Returns:
        The model, in evaluation mode, and its tokenizer; None where there is none, for such a model is still of use.
        What ``tokenizer_config.json`` says besides, such as the chat template, is in an Encoding's ``settings``.

    Raises:
        CheckpointError: there is no model, or it is damaged, a pickle, or at odds with its config.
        ConfigError: the architecture is not known, or the config asks for what is not built here.
        DataError: the tokenizer is damaged or of a kind that is not read; ``models.pretrained.load_model`` takes the
            model alone.

    Example:
        >>> import tempfile
        >>> import tinyllm as tl
        >>> words = tl.tokenizer.CharTokenizer("to be or not")
        >>> sizes = {"vocab_size": words.n_vocab, "block_size": 8, "n_layer": 1, "n_head": 2, "n_embd": 8}
        >>> model = tl.GPT(tl.GPTConfig.preset("modern", **sizes), np.random.default_rng(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     where = tl.save(model, words, folder)
        ...     model, again = tl.load(where)
        >>> model.config.family, again.decode(again.encode("boot"))
        ('llama', 'boot')
    """
    from .models.pretrained import open_model
    from .tokenizer import files

    place = _published(path)
    words: Tokenizer | None
    if (place / "manifest.json").is_file():
        from .train import run

        model, words, _ = run.load(place)
        model = model.astype(dtype)
    else:
        loaded = open_model(place, dtype)
        model, words = loaded.model, None if tokenizer is not None else _tokenizer_of(loaded)
    if tokenizer is not None:
        words = files.load(tokenizer) if isinstance(tokenizer, (str, Path)) else tokenizer
    if words is not None and words.n_vocab > model.config.vocab_size:
        V = model.config.vocab_size
        _LOG.warning("%s: the tokenizer has %d tokens, and the model knows the first %d", place, words.n_vocab, V)
    return model, words


def save(
    model: Any,
    tokenizer: Tokenizer | None,
    path: str | Path,
    format: str = "hf",
    *,
    dtype: str = "float32",
    max_shard_size: int | str | None = None,
    overwrite: bool = False,
) -> Path:
    """Save a model and its tokenizer so that others can open them.

    Args:
        model: a GPT, a Llama or a Bert.
        tokenizer: its own; None saves the model alone.
        path: for "hf" a folder, which is made; for "gguf" a file.
        format: "hf", a folder as transformers saves it, or "gguf", a file as llama.cpp reads it.
        dtype: of the stored numbers: "float32", "bfloat16" or "float16"; for "gguf" also "Q8_0" or "Q4_0".
        max_shard_size: for "hf", of a file, such as "500MB".
        overwrite: replace a model that is there; else it is an error, and nothing is changed.

    Returns:
        The path.

    Raises:
        ConfigError: the format cannot describe the model, the tokenizer has ids that the model has not, or something is
            there already.
        CheckpointError: the file system refuses, or a number does not fit ``dtype``.
    """
    path = Path(path).expanduser()
    if format not in FORMATS:
        raise ConfigError(
            f"save: there is no format {format!r}", hint=nearest(str(format), FORMATS) or " or ".join(FORMATS)
        )
    V = getattr(getattr(model, "config", None), "vocab_size", 0)
    if tokenizer is not None and tokenizer.n_vocab > V:
        raise ConfigError(f"save: the tokenizer has {tokenizer.n_vocab} tokens, and the model {V}", hint="its own one")
    if format == "gguf":
        return _save_gguf(model, tokenizer, path, dtype, max_shard_size, overwrite)
    from .models.pretrained import refuse_taken, save_model

    refuse_taken(path, overwrite)
    texts = {} if tokenizer is None else _folder_files(tokenizer, path)
    taken = [file.name for file in (*texts, path / OWN) if file.exists()]
    if taken and not overwrite:
        raise ConfigError(f"{path}: holds {', '.join(taken)} already", hint="another folder, or overwrite=True")
    save_model(model, path, dtype, max_shard_size, overwrite=overwrite, extra=_end_of(model, tokenizer))
    for file, data in texts.items():
        write_atomically(file, lambda opened, data=data: opened.write(data))  # type: ignore[misc]
    if path / OWN not in texts:
        (path / OWN).unlink(missing_ok=True)  # of an earlier save
    return path


def _published(path: str | Path) -> Path:
    """Return the path, or where the published model of that name lies."""
    place = Path(path).expanduser()
    if place.exists() or str(path) not in assets.MODELS:
        return place
    found = assets.find_model(str(path))
    if found is None:
        raise CheckpointError(f"{path}: this model is not here yet", hint=f"tinyllm data get {path}")
    return found


def _tokenizer_of(loaded: Loaded) -> Tokenizer | None:
    """Find the tokenizer in the file of the model, or beside it."""
    from .models.exchange.config_json import read_object
    from .tokenizer import Encoding, files

    weights, metadata = loaded.weights, loaded.metadata
    if weights.format == "gguf":
        if OWN_KEY in metadata:
            return _from_own(json.loads(metadata[OWN_KEY]))
        if "tokenizer.ggml.model" not in metadata:
            return None
        words: Any = files.gguf.from_metadata(metadata, str(metadata.get("general.name") or weights.path.stem))
        words.settings = _gguf_settings(metadata, words)
        return words
    folder, V = weights.folder, loaded.model.config.vocab_size
    if (folder / OWN).is_file():
        return _from_own(read_object(folder / OWN))
    scored = [folder / name for name in (f"tok{V}.bin", "tokenizer.bin") if (folder / name).is_file()]
    file = next(iter(scored), None) if weights.format == "llama2c" else files.find(folder)
    if file is None:
        _LOG.info("%s: no tokenizer is beside the weights", folder)
        return None
    try:
        words = files.load(file)
    except DataError as error:
        raise DataError(error.message, hint=f"load(path, tokenizer=...), or load_model(path): {error.hint}") from None
    if isinstance(words, Encoding):
        words.settings = _settings(folder)
    return words


def _settings(folder: Path) -> dict[str, Any]:
    """Read what a folder says of its tokenizer beside the vocabulary."""
    from .models.exchange.config_json import read_object

    told = read_object(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    kept = {key: told[key] for key in KEPT if told.get(key) is not None}
    for key, value in kept.items():
        if key.endswith("_token") and isinstance(value, dict):  # with the flags of an added token around it
            kept[key] = value.get("content")
    if (folder / TEMPLATE).is_file():
        kept["chat_template"] = (folder / TEMPLATE).read_text(encoding="utf-8")
    return kept


def _gguf_settings(metadata: Mapping[str, Any], words: Any) -> dict[str, Any]:
    """Read what a GGUF file says of its tokenizer beside the vocabulary."""
    spelled = {i: special for special, i in words.specials.ids.items()}
    marks = {f"{mark}_token": metadata.get(f"tokenizer.ggml.{mark}_token_id") for mark in ("bos", "eos")}
    settings = {key: spelled[int(i)] for key, i in marks.items() if i is not None and int(i) in spelled}
    return settings | ({"chat_template": str(metadata[TEMPLATE_KEY])} if TEMPLATE_KEY in metadata else {})


def _folder_files(tokenizer: Any, folder: Path) -> dict[Path, bytes]:
    """Return what to write where, so that transformers reads the tokenizer; else our own format."""
    from .tokenizer import Encoding, WordPiece
    from .tokenizer.files import huggingface

    if isinstance(tokenizer, WordPiece):
        told = {"do_lower_case": tokenizer.lowercase, "strip_accents": tokenizer.strip_accents}
        config = {"tokenizer_class": "BertTokenizer", **told}
        return {
            folder / "vocab.txt": ("\n".join(tokenizer.tokens) + "\n").encode(),
            folder / huggingface.CONFIG: _json(config),
        }
    if isinstance(tokenizer, Encoding):
        try:
            texts = huggingface.write(tokenizer, folder)
        except ConfigError as error:
            _LOG.warning("%s; the tokenizer is saved as %s", error.message, OWN)
        else:
            config = json.loads(texts[folder / huggingface.CONFIG])
            texts[folder / huggingface.CONFIG] = _json({**config, **tokenizer.settings})
            return texts
    else:
        _LOG.warning("no other tool reads a tokenizer of kind %s; it is saved as %s", tokenizer.name, OWN)
    return {folder / OWN: _json(_to_own(tokenizer))}


def _to_own(tokenizer: Any) -> dict[str, Any]:
    """Return all there is to a tokenizer in our own format."""
    return {**tokenizer.to_dict(), "settings": dict(getattr(tokenizer, "settings", {}))}


def _from_own(saved: dict[str, Any]) -> Tokenizer:
    """Undo ``_to_own``."""
    from .tokenizer import Encoding, from_dict

    settings = saved.pop("settings", {})
    made: Any = from_dict(saved)
    if isinstance(made, Encoding):
        made.settings = settings
    return made


def _end_of(model: Any, tokenizer: Any) -> dict[str, Any]:
    """Return the id of the token that ends a text, where the tokenizer knows it and the config does not."""
    from .tokenizer import Encoding

    told = getattr(model.config, "extra", {})
    if not isinstance(tokenizer, Encoding) or told.get("eos_token_id") is not None:
        return {}
    end = tokenizer.specials.ids.get(str(tokenizer.settings.get("eos_token", END)))
    return {} if end is None else {"eos_token_id": end}


def _save_gguf(
    model: Any, tokenizer: Any, path: Path, dtype: str, max_shard_size: int | str | None, overwrite: bool
) -> Path:
    from .models.exchange.gguf_model import save_gguf

    if dtype not in GGUF_KINDS:
        hint = nearest(str(dtype), GGUF_KINDS) or ", ".join(GGUF_KINDS)
        raise ConfigError(f"save: dtype is {dtype!r}", hint=hint)
    if max_shard_size is not None:
        raise ConfigError("save: a GGUF file is one file, and max_shard_size is for folders", hint='format="hf"')
    if path.exists() and not (overwrite and path.is_file()):
        raise ConfigError(f"{path}: is there already", hint="another name, or overwrite=True for a file")
    save_gguf(model, path, fields=_gguf_fields(tokenizer), kind=GGUF_KINDS[dtype])
    return path


def _gguf_fields(tokenizer: Any) -> Mapping[str, Any]:
    """Return a tokenizer as the fields of a GGUF file; our own field where its readers know no such tokenizer."""
    from .tokenizer import Encoding
    from .tokenizer.files import gguf

    if tokenizer is None:
        return {}
    if isinstance(tokenizer, Encoding):
        told = tokenizer.settings
        try:
            fields = gguf.to_metadata(tokenizer, told.get("bos_token"), told.get("eos_token", END))
        except ConfigError as error:
            _LOG.warning("%s; the tokenizer is saved in the field %s", error.message, OWN_KEY)
        else:
            template = told.get("chat_template")
            return fields | ({TEMPLATE_KEY: template} if isinstance(template, str) else {})
    else:
        _LOG.warning("no reader of GGUF knows a tokenizer of kind %s; it is in the field %s", tokenizer.name, OWN_KEY)
    return {OWN_KEY: json.dumps(_to_own(tokenizer), ensure_ascii=False)}


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
