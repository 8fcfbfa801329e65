"""The learner's own model as a provider: the same call, the same deltas, and no network.

    local = Local("runs/tour-1")                     # a run, or whatever else tl.load opens
    for delta in local.deltas(Call(messages_of("The with statement"), "tour-1", max_tokens=40)):
        ...

A model that was never taught to converse is shown a lone question as a text to continue, and a conversation as people
write one down. With a schema, or a tool that must be called, it can write nothing else: see generate/constrain.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, ConfigError, DataError
from .errors import ContextLengthError, UnsupportedParamError
from .types import (
    Began,
    Call,
    Delta,
    Done,
    Finish,
    Message,
    TextDelta,
    Tool,
    ToolArgsDelta,
    ToolDone,
    ToolStart,
    Usage,
    UsageUpdate,
)

MAX_TOKENS = 200  # of an answer, where the call does not say
VARIABLE = "TINYLLM_LOCAL"  # the path of a model
RUNS = "runs"
MANIFEST, CHECKPOINT = "manifest.json", "checkpoint.npz"
FINISH: Mapping[str, Finish] = {"length": "length", "stop": "stop", "end": "stop"}


class Local:
    """A model in this process.

    Args:
        path: of the model; without one ``find_model`` looks for it when it is needed first.
        environ: the environment, by default this process's.

    Attributes:
        name: what the model is called.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._path = None if path is None else Path(path)
        self._environ = os.environ if environ is None else environ
        self._loaded: _Loaded | None = None

    @property
    def name(self) -> str:
        """What the model is called: the name of its folder or file."""
        return self._open().name

    def deltas(self, call: Call) -> Iterator[Delta]:
        """Answer a call, piece by piece.

        Raises:
            ConfigError: there is no model, or it does not write texts.
            ContextLengthError: the conversation is longer than what the model reads.
            UnsupportedParamError: tools without one that must be called.
        """
        from ..generate import stream
        from ..generate.constrain import following

        held = self._open()
        tool = _forced(call)
        schema = call.schema if tool is None else tool.parameters
        ids, stop = held.prompt(call.messages)
        room = held.context - len(ids)
        if room < 1:
            raise ContextLengthError(
                f"{held.name}: {len(ids)} tokens, and it reads {held.context}", hint=f"{1 - room} tokens less"
            )
        asked: dict[str, Any] = {"top_p": call.top_p, "seed": call.seed}
        asked["temperature"] = 1.0 if call.temperature is None else call.temperature
        pieces = stream(
            held.model, ids, held.tokenizer, call.max_tokens or MAX_TOKENS, **asked, stop=[*call.stop, *stop],
            constraint=None if schema is None else following(schema, held.tokenizer),
        )  # fmt: skip
        yield Began(None, held.name)
        if tool is not None:
            yield ToolStart(0, "call_0", tool.name)
        for piece in pieces:
            yield TextDelta(piece) if tool is None else ToolArgsDelta(0, piece)
        done = pieces.rest()
        if tool is not None and done.finish != "length":
            yield ToolDone(0)
        yield UsageUpdate(Usage(input=len(done.prompt_ids), output=len(done.ids)))
        finish = FINISH[done.finish]
        yield Done("tool_calls" if tool is not None and finish == "stop" else finish, done.finish)

    def _open(self) -> _Loaded:
        if self._loaded is None:
            self._loaded = _Loaded.at(find_model(self._environ) if self._path is None else self._path)
        return self._loaded


@dataclass(frozen=True)
class _Loaded:
    """A model that writes, its tokenizer, and what both are called."""

    name: str
    model: Any
    tokenizer: Any

    @classmethod
    def at(cls, path: Path) -> _Loaded:
        from ..models import GPT
        from ..pretrained import load

        try:
            model, tokenizer = load(path)
        except (CheckpointError, DataError) as error:
            raise ConfigError(f"local model: {error.message}", hint=error.hint or HOW) from error
        if tokenizer is None or not isinstance(model, GPT):
            raise ConfigError(f"local model: {path} does not write texts", hint=HOW)
        return cls(path.resolve().name, model, tokenizer)

    @property
    def context(self) -> int:
        """How many tokens it reads."""
        return int(self.model.config.block_size)

    def prompt(self, messages: Sequence[Message]) -> tuple[list[int], tuple[str, ...]]:
        """Return the ids of a conversation, and what would end the model's turn in it."""
        from ..generate import chat
        from ..generate.prompts import first_ids

        form = chat.template_of(self.tokenizer)
        if len(messages) == 1 and messages[0].role == "user" and not form.marks:
            return list(first_ids(messages[0].content, self.tokenizer, self.model.config)), ()
        return chat.chat_ids([_turn(message) for message in messages], self.tokenizer, form), form.stop


HOW = "tinyllm tour trains one in two minutes; or tinyllm train FILE"


def find_model(environ: Mapping[str, str], folder: str | os.PathLike[str] = ".") -> Path:
    """Return the model that "local" means: what TINYLLM_LOCAL says, else the run here that was saved last.

    Raises:
        ConfigError: there is none; what was looked for is named.
    """
    told = environ.get(VARIABLE)
    if told:
        path = Path(told).expanduser()
        if not path.exists():
            raise ConfigError(f"local model: {VARIABLE} names {told}, which is not there", hint="a run, or a model")
        return path
    runs = Path(folder) / RUNS
    saved = [path.parent for path in runs.glob(f"*/{CHECKPOINT}") if (path.parent / MANIFEST).is_file()]
    if not saved:
        raise ConfigError(f"local model: no {VARIABLE} is set, and no trained run is in {RUNS}/", hint=HOW)
    return max(saved, key=lambda path: ((path / CHECKPOINT).stat().st_mtime_ns, path.name))


def saved_at(path: Path) -> int:
    """Return when a model was saved last, in nanoseconds; 0 if nobody knows."""
    places = [path / CHECKPOINT, path / "model.safetensors", path]
    return next((place.stat().st_mtime_ns for place in places if place.exists()), 0)


def _turn(message: Message) -> Any:
    """Return a turn as chat templates know it; a tool's result is told by the user."""
    from ..generate.chat import Message as Turn

    if message.role == "tool":
        return Turn("user", f"Result of {message.name or message.tool_call_id}: {message.content}")
    calls = "".join(f"\n{call.name}({call.arguments})" for call in message.tool_calls)
    return Turn(message.role, message.content + calls)


def _forced(call: Call) -> Tool | None:
    """Return the tool that must be called, if there is one.

    A small model cannot choose among tools; one that must be called it can fill in, for nothing else can be written.

    Raises:
        UnsupportedParamError: tools, and none of them must be called.
    """
    if not call.tools or call.tool_choice == "none":
        return None
    named = [tool for tool in call.tools if tool.name == call.tool_choice]
    if call.tool_choice == "required" and len(call.tools) == 1:
        named = list(call.tools)
    if not named:
        raise UnsupportedParamError(
            "local model: it cannot choose among tools", hint="tool_choice= the name of one", provider="local"
        )
    return named[0]
