"""tinyllm: every stage of a language model, small enough to read, checked by gradient, fast enough to use.

    >>> import tinyllm as tl
    >>> x = tl.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> x.softmax().log().sum().backward()
    >>> x.grad.shape
    (3,)

    model, tokenizer = tl.load("gpt2")      # a published model, a folder, a GGUF file, a run
    tl.save(model, tokenizer, "mine/")      # opens elsewhere
    tl.complete("Why is the sky blue?")     # by the provider whose key is set, or by a model that you trained

Names are loaded when they are first used, so ``import tinyllm`` itself loads no Numba and no matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_ROOMS = (
    *("autograd", "cli", "client", "debug", "errors", "generate", "interpret", "kernels", "models", "nn", "rag"),
    *("tokenizer", "train", "viz"),
)
_HOMES = {
    "GPT": "models",
    "GPTConfig": "models",
    "complete": "client",
    "load": "pretrained",
    "save": "pretrained",
    "stream": "client",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    elif name in _ROOMS:
        value = import_module(f".{name}", __name__)
    elif name.startswith("_"):
        raise AttributeError(f"module 'tinyllm' has no attribute {name!r}")
    else:
        engine = import_module(".autograd", __name__)
        if name not in engine.__all__:
            from .errors import nearest

            close = nearest(name, [*engine.__all__, *_HOMES, *_ROOMS])
            hint = f"; did you mean tl.{close}?" if close else ""
            raise AttributeError(f"module 'tinyllm' has no attribute {name!r}{hint}")
        value = getattr(engine, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_ROOMS, *import_module(".autograd", __name__).__all__})
