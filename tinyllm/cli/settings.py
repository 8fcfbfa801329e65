"""From options to a TrainConfig: the preset first, then a file, then what was asked for, and the rest follows."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, nearest

if TYPE_CHECKING:
    from ..train import TrainConfig

# option -> field of GPTConfig
SIZES = {"layers": "n_layer", "heads": "n_head", "kv_heads": "n_kv_head", "width": "n_embd", "dropout": "dropout"}
_OTHER = {"preset", "config", "set", "text", "out", "resume", "json", "debug", "mine", "model", *SIZES}


def config_of(args: argparse.Namespace) -> TrainConfig:
    """Put the settings together: defaults, then the preset, the file, the options, and --set.

    Raises:
        ConfigError: a setting does not exist (the nearest is named) or does not fit.
        OSError: the file cannot be read.
    """
    from ..train import TrainConfig

    base: dict[str, Any] = {}
    if args.preset:
        base = TrainConfig.preset(args.preset).to_dict()
    if args.config:
        base |= _from_file(Path(args.config))
    chosen = {name: value for name, value in vars(args).items() if name not in _OTHER and value is not None}
    for text in args.set or []:
        _assign(chosen, text)
    model = _model(base.get("model", TrainConfig().model), args, chosen.pop("model", {}))
    fields = {**base, **chosen, "model": model}
    follow(fields, chosen, plain=not base)
    return TrainConfig.from_dict(fields)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: is not JSON ({error})", hint="a file like config.json of a run folder") from None
    if not isinstance(fields, dict):
        raise ConfigError(f"{path}: is not a JSON object", hint='settings by name: {"steps": 500}')
    return fields


def _assign(chosen: dict[str, Any], text: str) -> None:
    """Read NAME=VALUE; the value is JSON where it can be read so, else a text."""
    from ..models import GPTConfig
    from ..train import TrainConfig

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {text}: is not NAME=VALUE", hint="--set eval_batches=5")
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    field = name.strip().replace("-", "_")
    if field.startswith("model."):
        chosen.setdefault("model", {})[field.removeprefix("model.")] = parsed
    elif field in {f.name for f in dataclasses.fields(GPTConfig)} - {f.name for f in dataclasses.fields(TrainConfig)}:
        raise ConfigError(f"--set {field}: is a setting of the model", hint=f"--set model.{field}={value}")
    elif field == "model":
        raise ConfigError("--set model: name one field of it", hint="--set model.window=32, or --model gpt2")
    else:
        chosen[field] = parsed


def _model(base: str | dict[str, Any], args: argparse.Namespace, more: dict[str, Any]) -> dict[str, Any]:
    from ..models.config import PRESETS

    model = {"preset": base} if isinstance(base, str) else dict(base)
    if args.model:
        if args.model not in PRESETS:
            close = nearest(args.model, PRESETS)
            raise ConfigError(f"--model: there is no {args.model!r}", hint=close or "one of " + ", ".join(PRESETS))
        model["preset"] = args.model
    model |= {field: getattr(args, option) for option, field in SIZES.items() if getattr(args, option) is not None}
    return {**model, **more}


def follow(fields: dict[str, Any], chosen: dict[str, Any], plain: bool) -> None:
    """Let settings that were not asked for follow those that were: a short run has a short warm-up, too."""
    from ..train import TrainConfig

    def value(name: str) -> Any:
        return fields.get(name, getattr(TrainConfig(), name))

    if "steps" in chosen:
        steps = chosen["steps"]
        for name, most in (("warmup", steps // 10), ("eval_every", max(steps // 4, 1)), ("checkpoint_every", steps)):
            if name not in chosen:
                fields[name] = min(value(name), most)
    if "lr" in chosen and "min_lr" not in chosen:
        fields["min_lr"] = chosen["lr"] / 10
    if plain and "sample_every" not in chosen:
        fields["sample_every"] = value("eval_every")
