"""OpenAI's encodings by name, and the encoding of a model.

The package ships no vocabulary: ``assets`` finds the published file in TINYLLM_DATA or the cache, or fetches it, and
checks that it is what was published.
"""

from __future__ import annotations

from binascii import a2b_base64
from functools import cache
from pathlib import Path

from .. import assets
from ..errors import ConfigError, nearest
from .encoding import Encoding

_END, _PROMPT = "<|endoftext|>", "<|endofprompt|>"
_FIM = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")  # fill in the middle
_GPT2 = {_END: 50256}
_O200K = {_END: 199999, _PROMPT: 200018}
_HARMONY = {
    "<|startoftext|>": 199998,
    "<|return|>": 200002,
    "<|constrain|>": 200003,
    "<|channel|>": 200005,
    "<|start|>": 200006,
    "<|end|>": 200007,
    "<|message|>": 200008,
    "<|call|>": 200012,
}
_RESERVED = {
    f"<|reserved_{i}|>": i for i in range(200000, 201088) if i not in _HARMONY.values()
}  # 200018 has a second name

# name -> file, split pattern, special tokens, n_vocab where every id is in use
_ENCODINGS: dict[str, tuple[str, str, dict[str, int], int | None]] = {
    "gpt2": ("r50k_base", "gpt2", _GPT2, 50257),
    "r50k_base": ("r50k_base", "gpt2", _GPT2, 50257),
    "p50k_base": ("p50k_base", "gpt2", _GPT2, 50281),
    "p50k_edit": ("p50k_base", "gpt2", _GPT2 | {name: 50281 + i for i, name in enumerate(_FIM)}, None),
    "cl100k_base": (
        "cl100k_base",
        "cl100k",
        {_END: 100257} | {name: 100258 + i for i, name in enumerate(_FIM)} | {_PROMPT: 100276},
        None,
    ),
    "o200k_base": ("o200k_base", "o200k", _O200K, None),
    "o200k_harmony": ("o200k_base", "o200k", _O200K | _HARMONY | _RESERVED, None),
}

# the encoding of a model, by the longest beginning of its name that is listed; a name ending in "$" is meant whole
_MODELS = {
    "o200k_harmony": ["gpt-oss-"],
    "o200k_base": [
        "gpt-5", "gpt-4.5-", "gpt-4.1$", "gpt-4.1-", "gpt-4o$", "gpt-4o-", "chatgpt-4o-", "o1$", "o1-", "o3$", "o3-",
        "o4-mini$", "o4-mini-", "ft:gpt-4o",
    ],
    "cl100k_base": [
        "gpt-4$", "gpt-4-", "gpt-3.5$", "gpt-3.5-turbo$", "gpt-3.5-turbo-", "gpt-35-turbo$", "gpt-35-turbo-",
        "davinci-002$", "babbage-002$", "text-embedding-ada-002$", "text-embedding-3-small$", "text-embedding-3-large$",
        "ft:gpt-4", "ft:gpt-3.5-turbo", "ft:davinci-002", "ft:babbage-002",
    ],
    "p50k_base": [
        "text-davinci-003$", "text-davinci-002$", "code-davinci-002$", "code-davinci-001$", "code-cushman-002$",
        "code-cushman-001$", "davinci-codex$", "cushman-codex$",
    ],
    "p50k_edit": ["text-davinci-edit-001$", "code-davinci-edit-001$"],
    "r50k_base": [
        "text-davinci-001$", "text-curie-001$", "text-babbage-001$", "text-ada-001$", "davinci$", "curie$", "babbage$",
        "ada$", "text-similarity-davinci-001$", "text-similarity-curie-001$", "text-similarity-babbage-001$",
        "text-similarity-ada-001$", "text-search-davinci-doc-001$", "text-search-curie-doc-001$",
        "text-search-babbage-doc-001$", "text-search-ada-doc-001$", "code-search-babbage-code-001$",
        "code-search-ada-code-001$",
    ],
    "gpt2": ["gpt2$", "gpt-2$"],
}  # fmt: skip
_BEGINNINGS = {model: name for name, models in _MODELS.items() for model in models}


def list_encoding_names() -> list[str]:
    """Return the names that ``get_encoding`` knows.

    Example:
        >>> list_encoding_names()[:2]
        ['gpt2', 'r50k_base']
    """
    return list(_ENCODINGS)


def get_encoding(encoding_name: str, path: str | Path | None = None) -> Encoding:
    """Return an encoding by name; loaded once, then shared.

    Args:
        encoding_name: one of ``list_encoding_names()``.
        path: of the .tiktoken file, where it lies in none of the usual places.

    Raises:
        ConfigError: there is no encoding of that name.
        DataError: its file is not on this machine and cannot be fetched, or has been altered.
    """
    if encoding_name not in _ENCODINGS:
        raise ConfigError(
            f"there is no encoding {encoding_name!r}",
            hint=nearest(encoding_name, _ENCODINGS) or "one of " + ", ".join(_ENCODINGS),
        )
    return _load(encoding_name, None if path is None else str(path))


@cache
def _load(name: str, path: str | None) -> Encoding:
    file, pattern, specials, n_vocab = _ENCODINGS[name]
    lines = assets.read(file, path).splitlines()  # a token in base64, a space, its rank
    ranks = {a2b_base64(token): int(rank) for token, rank in (line.split() for line in lines)}
    return Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials, explicit_n_vocab=n_vocab)


def encoding_name_for_model(model_name: str) -> str:
    """Return the name of the encoding that a model of OpenAI's uses.

    Raises:
        ConfigError: the model is not known.

    Example:
        >>> encoding_name_for_model("gpt-4o-2024-05-13"), encoding_name_for_model("gpt-4")
        ('o200k_base', 'cl100k_base')
    """
    if (whole := f"{model_name}$") in _BEGINNINGS:
        return _BEGINNINGS[whole]
    fitting = [beginning for beginning in _BEGINNINGS if model_name.startswith(beginning)]
    if not fitting:
        names = [beginning.rstrip("$-") for beginning in _BEGINNINGS]
        raise ConfigError(
            f"no encoding is known for the model {model_name!r}",
            hint=nearest(model_name, names) or "get_encoding(name) with one of " + ", ".join(_ENCODINGS),
        )
    return _BEGINNINGS[max(fitting, key=len)]


def encoding_for_model(model_name: str) -> Encoding:
    """Return the encoding that a model of OpenAI's uses.

    Raises:
        ConfigError: the model is not known.
        DataError: as ``get_encoding``.
    """
    return get_encoding(encoding_name_for_model(model_name))
