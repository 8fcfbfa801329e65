"""Run: a training run and its folder, from which it can be resumed, loaded, and had again bit by bit.

manifest.json    what decides its numbers            checkpoint.npz   everything, as of the last save
config.json      the TrainConfig                     best.npz         the weights of the lowest validation loss
tokenizer.json   text to ids and back                metrics.jsonl    one line per step and evaluation
tokens.npy       the text as ids
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import atomic, tokenizer
from ..errors import CheckpointError, ConfigError, DataError
from ..generate import generate, prompt_ids
from ..models import GPT, flops_per_token
from . import bits, checkpoint, lock, loop, manifest, metrics, state, stream
from .callbacks import Listeners, Result, StepInfo
from .config import TrainConfig
from .material import Material, gather
from .tokenizers import Told

_INIT, _BATCHES, _SAMPLES = 1, 2, 3  # each part of the run's randomness has a generator of its own
_FIXED = ("data", "tokenizer", "validation", "model", "block_size", "optimizer", "seed")


class Run:
    """A training run in a folder.

    Make one with ``Run.create``, ``Run.open`` or ``Run.from_manifest``.

    Attributes:
        folder: where everything is.
        config: the TrainConfig.
        manifest: the content of manifest.json.
        tokenizer: text to ids and back.
        train_tokens, val_tokens: the two parts of the text, as ids.
        state: the model, the optimizer, the stream of batches, and how far they are.

    Example:
        >>> import tempfile
        >>> config = TrainConfig.preset("smoke", steps=3, sample_every=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = Run.create(folder, config)
        ...     result = run.train()
        >>> result.steps, result.stopped
        (3, 'steps')
    """

    def __init__(self, folder: Path, config: TrainConfig, about: dict[str, Any], words: tokenizer.Tokenizer) -> None:
        self.folder = folder
        self.config = config
        self.manifest = about
        self.tokenizer = words
        tokens = stream.open_tokens(folder / "tokens.npy")
        cut = about["data"].get("cut")
        self.train_tokens, self.val_tokens = stream.split(tokens, config.validation, config.block_size, cut)
        model = GPT(config.gpt_config(words.n_vocab), self._rng(_INIT))
        batches = stream.Stream(self.train_tokens, config.batch_size, config.block_size, self._rng(_BATCHES))
        self.state = state.State(model, state.optimizer_of(config, model), batches)

    @property
    def model(self) -> GPT:
        """The model, as trained so far."""
        return self.state.model

    @property
    def checkpoint_path(self) -> Path:
        """Where everything is saved."""
        return self.folder / "checkpoint.npz"

    @property
    def best_path(self) -> Path:
        """Where the weights with the lowest validation loss are saved."""
        return self.folder / "best.npz"

    @property
    def metrics_path(self) -> Path:
        """Where each step and evaluation is written down."""
        return self.folder / "metrics.jsonl"

    @cached_property
    def bytes_per_token(self) -> float:
        """How many bytes of text a token stands for, over the part of the validation text that is evaluated."""
        config = self.config
        sizes = config.batch_size, config.block_size, config.eval_batches
        return bits.bytes_per_token(self.val_tokens, bits.lengths(self.tokenizer), *sizes)

    def bits_per_byte(self, val_loss: float) -> float:
        """Turn a validation loss of this run into bits per byte, which compare with those of other tokenizers."""
        return bits.bits_per_byte(val_loss, self.bytes_per_token)

    # beginnings

    @classmethod
    def create(cls, folder: str | Path, config: TrainConfig, told: Told | None = None) -> Run:
        """Begin a run: read the text, cut it in two, turn it into ids, write the folder.

        Args:
            folder: is made; it must not hold a run already.
            config: what to do.
            told: is told (what, how much is done, of how much) while a tokenizer is learned.

        Raises:
            ConfigError: the folder holds a run, or the config does not fit.
            DataError: the text or the tokenizer cannot be had, or the text is too short.
            CheckpointError: the folder cannot be written.
        """
        folder = _free(folder)
        return cls._write(folder, gather(config, told))

    @classmethod
    def open(cls, folder: str | Path, **changes: Any) -> Run:
        """Open a run where its last checkpoint left it, or at its beginning if there is none yet.

        Args:
            folder: the run folder.
            changes: fields of the config to change from here on, such as ``steps=4000``. What the run began with
                (data, tokenizer, model, block size, seed, ...) cannot be changed any more.

        Raises:
            CheckpointError: the folder holds no run, or one of its files is missing, damaged or of another model.
            ConfigError, DataError: its config or tokens cannot be read, or a change is not possible.
        """
        fixed = [name for name in changes if name in _FIXED]
        if fixed:
            raise ConfigError(f"{', '.join(fixed)}: cannot change once a run has begun", hint="begin another run")
        run = cls._opened(folder, **changes)
        if run.checkpoint_path.exists():
            state.unpack(run.checkpoint_path, checkpoint.load(run.checkpoint_path), run.state)
        return run

    @classmethod
    def from_manifest(cls, path: str | Path, folder: str | Path) -> Run:
        """Begin the run that a manifest describes once more, in another folder.

        Trained on the same machine it gives the same numbers to the last bit; ``manifest.differences(run.manifest)``
        of the old manifest lists what may stand in the way. The ids and the tokenizer are taken from beside the
        manifest if they are there, else made again from the text.

        Args:
            path: a manifest.json, or the run folder it lies in.
            folder: of the new run.

        Raises:
            CheckpointError: the manifest or what lies beside it cannot be read, or is of another run.
            DataError: the text or the tokenizer is no longer what it was.
            ConfigError: the folder holds a run.
        """
        path = Path(path)
        path = path / "manifest.json" if path.is_dir() else path
        about = manifest.read(path)
        config = TrainConfig.from_dict(about["config"])
        folder = _free(folder)
        data = about["data"]
        beside = path.parent / "tokens.npy"
        words = _tokenizer_in(path.parent, about) if (path.parent / "tokenizer.json").exists() else None
        if words and beside.exists() and manifest.sha256_of_file(beside) == data["tokens_sha256"]:
            return cls._write(folder, Material(config, words, stream.open_tokens(beside), data))
        if config.data == "-":
            raise DataError(
                "the text came from standard input and is not kept", hint=f"put the run's tokens.npy at {beside}"
            )
        again = gather(config, words=words, sha256=data["sha256"])
        if (then := about.get("tokenizer")) and manifest.fingerprint(again.words.to_dict()) != then["sha256"]:
            raise DataError(
                f"tokenizer: {config.tokenizer} is no longer the tokenizer of this run",
                hint=f"put the run's tokenizer.json into {path.parent}",
            )
        return cls._write(folder, again)

    @classmethod
    def _write(cls, folder: Path, material: Material) -> Run:
        """Check that everything fits, write the files of a new run, its manifest last, and open it."""
        config, words, tokens = material.config, material.words, material.tokens
        stream.split(tokens, config.validation, config.block_size, material.data.get("cut"))
        config.gpt_config(words.n_vocab)
        prompt_ids(words, config.sample_prompt)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise atomic.cannot_write(folder, error) from error
        stream.write_tokens(folder / "tokens.npy", np.asarray(tokens))
        saved = words.to_dict()
        atomic.write_json(folder / "tokenizer.json", saved)
        atomic.write_json(folder / "config.json", config.to_dict())
        sha256 = manifest.sha256_of_file(folder / "tokens.npy")
        about = {
            "format": manifest.FORMAT,
            "seed": config.seed,
            **manifest.facts(),
            "data": {**material.data, "tokens": len(tokens), "tokens_sha256": sha256},
            "tokenizer": {"n_vocab": words.n_vocab, "sha256": manifest.fingerprint(saved)},
            "config": config.to_dict(),
        }
        atomic.write_json(folder / "manifest.json", about)
        return cls._opened(folder)

    @classmethod
    def _opened(cls, folder: str | Path, **changes: Any) -> Run:
        """Open a run at its beginning, whatever checkpoints there are."""
        folder = Path(folder).expanduser()
        about = manifest.read(folder / "manifest.json")
        config = TrainConfig.from_dict({**_json_in(folder / "config.json"), **changes})
        return cls(folder, config, about, _tokenizer_in(folder, about))

    # the training itself

    def train(self, callbacks: Iterable[Any] = (), until: int | None = None, peak_flops: float | None = None) -> Result:
        """Train until there is a reason to stop, and save everything on the way.

        The first Ctrl-C finishes the step, saves, and returns with ``stopped="interrupt"``.

        Args:
            callbacks: objects with some of the methods listed in ``train.callbacks``.
            until: stop after this step, though the config has more.
            peak_flops: what the machine can do in a second, for the utilization; None measures it.

        Raises:
            NaNError: the loss is no longer a number; the last checkpoint is intact.
            CheckpointError: something cannot be saved, or another process trains here; the last checkpoint is intact.
            ConfigError: a callback has a method that is never called.
        """
        listeners = Listeners(callbacks)
        with lock.only_one(self.folder):
            atomic.remove_leftovers(self.folder)
            self._forget_what_was_not_saved()
            self._note_changes()
            rows = metrics.Metrics(self.metrics_path)
            try:
                everyone = Listeners([_Recorder(rows, self), *listeners.callbacks])
                everyone.tell("on_start", self)
                result = loop.train(
                    self.state,
                    self.config,
                    self.train_tokens,
                    self.val_tokens,
                    loop.Hooks(everyone.tell, lambda: self._save(rows, everyone), self._save_best, self.write),
                    until,
                    flops_per_token(self.model.config),
                    peak_flops or metrics.measure_peak_flops(),
                )
                everyone.tell("on_stop", result)
            finally:
                rows.close()
        return result

    def write(self) -> str:
        """Let the model write a text as the config says: the same text for the same step, whatever came between."""
        config = self.config
        rng = self._rng(_SAMPLES, self.state.step)
        written = generate(
            self.model, config.sample_prompt, self.tokenizer, config.sample_tokens, config.temperature, rng=rng
        )
        return written.text or ""

    def _forget_what_was_not_saved(self) -> None:
        """Cut off the metrics of steps that the checkpoint does not know; without a checkpoint, of all."""
        metrics.truncate(self.metrics_path, self.state.step if self.checkpoint_path.exists() else -1)

    def _note_changes(self) -> None:
        """Keep the manifest true: what differs now from when the run began is added to it, with the step."""
        now, parts = self.config.to_dict(), self.manifest.get("resumed", [])
        last = parts[-1] if parts else {"config": self.manifest["config"], "differences": []}
        part = {"step": self.state.step, "config": now, "differences": manifest.differences_of_machine(self.manifest)}
        if (part["config"], part["differences"]) == (last["config"], last["differences"]):
            return
        self.manifest = {**self.manifest, "resumed": [*parts, part]}
        atomic.write_json(self.folder / "config.json", now)
        atomic.write_json(self.folder / "manifest.json", self.manifest)

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, *key])

    def _save(self, rows: metrics.Metrics, listeners: Listeners) -> None:
        rows.sync()
        checkpoint.save(self.checkpoint_path, *state.pack(self.state), keeps=self._what_stays())
        listeners.tell("on_checkpoint", self.state.step, self.checkpoint_path)

    def _save_best(self) -> None:
        checkpoint.save(self.best_path, *state.pack_weights(self.state), keeps=self._what_stays())

    def _what_stays(self) -> str:
        return "the checkpoint saved before is intact" if self.checkpoint_path.exists() else ""


def load(folder: str | Path, which: str = "best") -> tuple[GPT, tokenizer.Tokenizer, Run]:
    """Load a trained model.

    Args:
        folder: a run folder.
        which: "best" takes the weights with the lowest validation loss (the latest, if none were saved yet), "latest"
            those of the last checkpoint.

    Returns:
        The model in evaluation mode, its tokenizer, and the run where its last checkpoint left it.

    Raises:
        CheckpointError: the folder holds no trained model, or its files are damaged.
        ConfigError: ``which`` is something else.
    """
    if which not in ("best", "latest"):
        raise ConfigError(f"load: which is {which!r}", hint="'best' or 'latest'")
    run = Run.open(folder)
    path = run.best_path if which == "best" and run.best_path.exists() else run.checkpoint_path
    saved = checkpoint.load(path)
    model = GPT(run.model.config, np.random.default_rng(0))
    state.unpack_weights(path, saved, model)
    return model.eval(), run.tokenizer, run


def _free(folder: str | Path) -> Path:
    """Return the folder of a new run, refusing one that is taken."""
    folder = Path(folder).expanduser()
    if (folder / "manifest.json").exists():
        raise ConfigError(f"{folder}: holds a run already", hint="resume it, or choose another folder")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file, and a run needs a folder", hint="another name")
    return folder


def _tokenizer_in(folder: Path, about: dict[str, Any]) -> tokenizer.Tokenizer:
    """Load the tokenizer of a run, refusing one that its ids were not made with."""
    saved = _json_in(folder / "tokenizer.json")
    then = about.get("tokenizer", {}).get("sha256")  # runs of earlier versions do not say
    if then not in (None, now := manifest.fingerprint(saved)):
        raise CheckpointError(
            f"{folder / 'tokenizer.json'}: is not the tokenizer of this run (sha256 {now[:12]}, then {then[:12]})",
            hint="put the old one back, or begin another run",
        )
    return tokenizer.from_dict(saved)


def _json_in(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: is missing", hint="put it back, or create the run again") from None
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({type(error).__name__})", hint="create the run again") from None


class _Recorder:
    """The callback that writes metrics.jsonl."""

    def __init__(self, rows: metrics.Metrics, run: Run) -> None:
        self.rows = rows
        self.run = run

    def on_step(self, info: StepInfo) -> None:
        values = dict(vars(info))
        self.rows.write("step", values.pop("step"), **values)

    def on_eval(self, step: int, train_loss: float, val_loss: float) -> None:
        bits = self.run.bits_per_byte(val_loss)
        self.rows.write("eval", step, train_loss=train_loss, val_loss=val_loss, val_bits_per_byte=bits)

    def on_sample(self, step: int, text: str) -> None:
        self.rows.write("sample", step, text=text)
