"""What a person, a log file or a program sees of a training run while it goes on.

Three callbacks for ``Run.train``, each a context manager:

    Live     a block of lines that is redrawn in place, with texts printed above it
    Plain    one line per event, for logs, pipes, screen readers and NO_COLOR
    Json     one JSON object per line

and Preparing for ``Run.create``, which takes long where a text is long.

A loss is in nats per token. Beside the validation loss stands what it is in bits per byte of text: only that compares
with runs that have other tokens.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..viz.terminal import sparkline
from .screen import Screen

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live as RichLive

    from ..train import Result, Run, StepInfo

_KEPT = 2048  # points of the sparkline


def _unknown(loss: float) -> float:
    return math.nan


class Preparing:
    """Says what a run does before its first step where that takes long: a line at the beginning and each quarter."""

    def __init__(self, screen: Screen, silent: bool = False) -> None:
        self.screen = screen
        self.silent = silent
        self.said: tuple[str, int] | None = None

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Take note of how far it is; a total that is not known is None."""
        now = what, 4 * done // total if total else 0
        if self.silent or now == self.said:
            return
        self.said = now
        self.screen.line(f"{what}: {done:,} of {total:,}" if done and total else f"{what} ...", style="dim")


class Json:
    """Writes every event as one line of JSON: config, steps, eval, sample, checkpoint, result."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.bits: Callable[[float], float] = _unknown  # nats per token -> bits per byte

    def write(self, event: str, **values: Any) -> None:
        """Write one line; what JSON cannot hold (NaN, infinity) becomes null."""
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
        print(json.dumps({"event": event, **clean}, allow_nan=False), file=self.screen.stream, flush=True)

    def __enter__(self) -> Json:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def on_start(self, run: Run) -> None:
        """Write the config, the data, and where the run lives."""
        self.bits = run.bits_per_byte
        self.write(
            "config", folder=str(run.folder), config=run.config.to_dict(), model=run.model.config.to_dict(),
            data=run.manifest["data"], parameters=run.model.count_parameters(), step=run.state.step,
            bytes_per_token=run.bytes_per_token,
        )  # fmt: skip

    def on_step(self, info: StepInfo) -> None:
        """Write all that is known about a step."""
        self.write("step", **vars(info))

    def on_eval(self, step: int, train_loss: float, val_loss: float) -> None:
        """Write both losses, and the second in bits per byte."""
        values = {"train_loss": train_loss, "val_loss": val_loss, "val_bits_per_byte": self.bits(val_loss)}
        self.write("eval", step=step, **values)

    def on_sample(self, step: int, text: str) -> None:
        """Write the text."""
        self.write("sample", step=step, text=text)

    def on_checkpoint(self, step: int, path: Any) -> None:
        """Write where it is."""
        self.write("checkpoint", step=step, path=str(path))


class Plain:
    """Prints one line per event; between evaluations about twenty lines about steps in all."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.pace = Pace()
        self.last: StepInfo | None = None
        self.bits: Callable[[float], float] = _unknown  # nats per token -> bits per byte

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def on_start(self, run: Run) -> None:
        """Say what is trained on what, and where it is kept."""
        self.pace.start(run)
        self.bits = run.bits_per_byte
        for line in describe(run):
            self.screen.line(line)

    def on_step(self, info: StepInfo) -> None:
        """Print every twentieth part of the way."""
        self.pace.step(info)
        self.last = info
        if info.step % max(1, self.pace.steps // 20) == 0 or info.step == self.pace.first + 1:
            self.screen.line(
                f"step {info.step}/{self.pace.steps}: loss {info.loss:.3f}, lr {info.lr:.2g}, "
                f"{self.pace.speed:,.0f} tokens/s, {clock(self.pace.left())} left"
            )

    def on_eval(self, step: int, train_loss: float, val_loss: float) -> None:
        """Print both losses, and the second in bits per byte."""
        self.screen.line(
            f"evaluation at step {step}: training {train_loss:.3f}, validation {val_loss:.3f} nats per token, "
            f"{self.bits(val_loss):.3f} bits per byte"
        )

    def on_sample(self, step: int, text: str) -> None:
        """Print the text on one line."""
        self.screen.line(f"text at step {step}: {json.dumps(text, ensure_ascii=False)}")

    def on_checkpoint(self, step: int, path: Any) -> None:
        """Print where it is, the first time and the last."""
        if step in (0, self.pace.steps):
            self.screen.line(f"checkpoint of step {step}: {path}")


class Live:
    """Redraws a block of lines a few times a second and prints texts above it."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.pace = Pace()
        self.console = screen.console
        self.info: StepInfo | None = None
        self.losses: list[float] = []
        self.weight = 1  # how many steps one point of the sparkline stands for
        self.pending: list[float] = []
        self.val: list[tuple[int, float]] = []
        self.bits: Callable[[float], float] = _unknown  # nats per token -> bits per byte
        self.doing = "reading the text"
        self.live: RichLive | None = None

    def __enter__(self) -> Live:
        from rich.live import Live as RichLive

        self.live = RichLive(get_renderable=self.render, console=self.console, refresh_per_second=5)
        self.live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.doing = ""
        if self.live:
            self.live.__exit__(kind, error, trace)

    def on_start(self, run: Run) -> None:
        """Print what is trained on what above the block."""
        self.pace.start(run)
        self.bits = run.bits_per_byte
        self.doing = "measuring the losses before the first step"
        for line in describe(run):
            self.console.print(self.screen.fit(line), soft_wrap=True)

    def on_step(self, info: StepInfo) -> None:
        """Remember; the block is redrawn on its own."""
        self.pace.step(info)
        self.info = info
        self.doing = ""
        self.pending.append(info.loss)
        if len(self.pending) == self.weight:
            self.losses.append(sum(self.pending) / self.weight)
            self.pending = []
        if len(self.losses) == _KEPT:
            self.losses = [(a + b) / 2 for a, b in zip(self.losses[::2], self.losses[1::2], strict=True)]
            self.weight *= 2

    def on_eval(self, step: int, train_loss: float, val_loss: float) -> None:
        """Remember."""
        self.val.append((step, val_loss))

    def on_sample(self, step: int, text: str) -> None:
        """Print the text above the block."""
        self.console.print(f"text at step {step}", style="bold")
        self.console.print(self.screen.fit(text.strip("\n")), soft_wrap=False)
        self.console.print()

    def render(self) -> RenderableType:
        """Draw the block: where it is, how good, how fast, and the curve."""
        from rich.text import Text

        width = self.console.width
        lines: list[Text] = []
        if self.info is None:
            lines.append(Text(self.doing))
        else:
            lines += [self._way(self.info, width), self._losses(), self._speed(self.info), self._curve(width)]
        for line in lines:
            line.truncate(width, overflow="ellipsis" if self.screen.unicode else "crop")
        return Text("\n").join(lines)

    def _way(self, info: StepInfo, width: int) -> Any:
        from rich.text import Text

        share = info.step / self.pace.steps
        left = f"step {info.step:>{len(str(self.pace.steps))}}/{self.pace.steps} "
        right = f" {share:4.0%}  {clock(self.pace.left())} left"
        room = max(min(width - len(left) - len(right), 60), 0)
        done = round(share * room)
        full, empty = ("━", "─") if self.screen.unicode else ("#", ".")
        return Text.assemble((left, "bold"), (full * done, "green"), (empty * (room - done), "dim"), right)

    def _losses(self) -> Any:
        from rich.text import Text

        parts: list[Any] = [("loss ", "bold"), f"{self.recent():.3f}"]
        if not self.val:
            return Text.assemble(*parts, " nats per token")
        step, loss = self.val[-1]
        bits = self.bits(loss)
        parts += [("   validation ", "bold"), f"{loss:.3f} nats per token, {bits:.3f} bits per byte at step {step}"]
        best_step, best = min(self.val, key=lambda pair: pair[1])
        if best_step != step:
            parts += [f" (best {best:.3f} at {best_step})"]
        return Text.assemble(*parts)

    def _speed(self, info: StepInfo) -> Any:
        from rich.text import Text

        text = f"{self.pace.speed:,.0f} tokens/s   {info.mfu:.0%} of peak   lr {info.lr:.2g}   "
        text += f"gradient {info.grad_norm:.2f}   {clock(info.seconds)}"
        return Text(text, style="dim")

    def _curve(self, width: int) -> Any:
        from rich.text import Text

        return Text(sparkline(self.losses, min(width, 78), unicode=self.screen.unicode), style="cyan")

    def recent(self) -> float:
        """The mean loss of the last steps: one batch alone jumps about too much to be read."""
        last = self.losses[-max(1, 20 // self.weight) :]
        return sum(last) / len(last) if last else math.nan


class Pace:
    """How fast the steps are, and how long it will still take, pauses for evaluations included."""

    def __init__(self) -> None:
        self.steps = 1
        self.first = 0
        self.tokens_per_step = 0
        self.max_seconds: float | None = None
        self.info: StepInfo | None = None
        self.began = time.perf_counter()
        self.speed = 0.0  # tokens per second, a mean over about the last twenty steps

    def start(self, run: Run) -> None:
        """Take note of where the run begins and how far it goes."""
        self.steps = run.config.steps
        self.first = run.state.step
        self.tokens_per_step = run.config.tokens_per_step
        self.max_seconds = run.config.max_seconds
        if run.config.max_tokens is not None:
            self.steps = max(1, min(self.steps, -(-run.config.max_tokens // self.tokens_per_step)))

    def step(self, info: StepInfo) -> None:
        """Take note of a step."""
        if self.info is None:
            self.began = time.perf_counter() - self.tokens_per_step / max(info.tokens_per_second, 1e-9)
            self.speed = info.tokens_per_second
        self.speed += (info.tokens_per_second - self.speed) / 20
        self.info = info

    def left(self) -> float:
        """Seconds until the last step or the end of the time that was given."""
        if self.info is None:
            return math.nan
        each = (time.perf_counter() - self.began) / max(self.info.step - self.first, 1)
        seconds = (self.steps - self.info.step) * each
        return seconds if self.max_seconds is None else max(0.0, min(seconds, self.max_seconds - self.info.seconds))


def describe(run: Run) -> list[str]:
    """Say in two or three lines what is trained on what."""
    from ..train.tokenizers import size

    model, config, data = run.model.config, run.config, run.manifest["data"]
    unit = {"bytes": "bytes", "chars": "characters"}.get(config.tokenizer)
    unit = unit or f"tokens of {run.bytes_per_token:.2f} bytes ({config.tokenizer})"
    lines = [
        f"text    {data['name']}: {data['tokens']:,} {unit}, vocabulary of {run.tokenizer.n_vocab:,}",
        f"model   {model.n_layer} layers, {model.n_head} heads, {model.n_embd} wide, block {model.block_size}: "
        f"{run.model.count_parameters():,} parameters",
        f"folder  {run.folder}",
    ]
    if run.tokenizer.n_vocab < (asked := size(config.tokenizer)):
        lines[0] += f" and not {asked:,}: the text has no pair left to merge"
    if run.state.step:
        lines.append(f"resumed at step {run.state.step} of {config.steps}")
    return lines


def summary(run: Run, result: Result) -> str:
    """Say in one line how a run ended."""
    why = {
        "steps": "done",
        "time": "stopped: the time is used up",
        "tokens": "stopped: the tokens are used up",
        "patience": f"stopped: no better validation loss in {run.config.patience} evaluations",
        "interrupt": "interrupted; everything is saved",
    }.get(result.stopped, "stopped")
    return (
        f"{why}: {result.steps} steps in {clock(result.seconds)}, validation loss {result.val_loss:.3f} "
        f"(best {result.best_loss:.3f}) nats per token, {run.bits_per_byte(result.val_loss):.3f} bits per byte, "
        f"{result.tokens_per_second:,.0f} tokens/s"
    )


def clock(seconds: float) -> str:
    """Write a time as a clock does.

    Example:
        >>> clock(63.4), clock(3723), clock(float("nan"))
        ('1:03', '1:02:03', '-:--')
    """
    if not math.isfinite(seconds):
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def view(screen: Screen, as_json: bool = False) -> Json | Plain | Live:
    """Choose what suits the screen."""
    if as_json:
        return Json(screen)
    return Plain(screen) if screen.plain else Live(screen)
