r"""Chat: a conversation as the token ids that a model was taught to read one as.

A model trained to converse knows a turn by marks around it, most of them special tokens. Which ones, its vocabulary
tells: ``template_of`` looks for them. What people have written goes between the marks as plain text: a mark that is
typed is not a mark. A model without any is shown a conversation as people write one down, ``User: ...``.

Source: the chat templates that the models named below were published with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError, nearest
from ..tokenizer import Encoding, Tokenizer
from .prompts import prompt_ids

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Message:
    """One turn.

    Attributes:
        role: "system", "user" or "assistant".
        text: what was said.
    """

    role: str
    text: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ConfigError(
                f"chat: there is no role {self.role!r}", hint=nearest(self.role, ROLES) or ", ".join(ROLES)
            )


@dataclass(frozen=True)
class Template:
    """How a conversation is written.

    Attributes:
        name: what it is asked for by.
        turn: what stands before and after the text of a turn, for every role.
        begin: what stands before everything.
        stop: texts that end the model's turn.
        marks: special tokens that a vocabulary must have for it.
    """

    name: str
    turn: dict[str, tuple[str, str]]
    begin: str = ""
    stop: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


def _headed(before: str, between: str, after: str) -> dict[str, tuple[str, str]]:
    return {role: (before + role + between, after) for role in ROLES}


TEMPLATES = {
    template.name: template
    for template in (
        # Qwen, and many others
        Template(
            "chatml",
            _headed("<|im_start|>", "\n", "<|im_end|>\n"),
            stop=("<|im_end|>",),
            marks=("<|im_start|>", "<|im_end|>"),
        ),
        # Llama 3
        Template(
            "llama3",
            _headed("<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>"),
            begin="<|begin_of_text|>",
            stop=("<|eot_id|>",),
            marks=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        ),
        # Zephyr, TinyLlama; the marks are plain text there
        Template("zephyr", {role: (f"<|{role}|>\n", "</s>\n") for role in ROLES}, stop=("</s>", "<|user|>")),
        # no marks at all
        Template(
            "plain",
            {"system": ("", "\n\n"), "user": ("User: ", "\n"), "assistant": ("Assistant:", "\n")},
            stop=("\nUser:", "\nAssistant:"),
        ),
    )
}


def template_of(tokenizer: Tokenizer) -> Template:
    """Return the template whose marks a vocabulary has; the plain one if it has none.

    Example:
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> template_of(ByteTokenizer()).name
        'plain'
    """
    known = set(tokenizer.specials.ids) if isinstance(tokenizer, Encoding) else set()
    return next((t for t in TEMPLATES.values() if t.marks and known >= set(t.marks)), TEMPLATES["plain"])


def chat_ids(messages: Sequence[Message], tokenizer: Tokenizer, template: Template | None = None) -> list[int]:
    r"""Return a conversation as token ids, up to where the model's next turn begins.

    Args:
        messages: what was said so far, the last by the user.
        tokenizer: the model's.
        template: how it is written; by default what the vocabulary has marks for.

    Raises:
        ConfigError: there are no messages, or the vocabulary lacks a mark of the template.
        DataError: a message holds a character that the tokenizer does not know.

    Example:
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> words = ByteTokenizer()
        >>> words.decode(chat_ids([Message("user", "Who are you?")], words))
        'User: Who are you?\nAssistant:'
    """
    template = template_of(tokenizer) if template is None else template
    if not messages:
        raise ConfigError("chat: nothing was said yet", hint='[Message("user", "...")]')
    ids = _marked(template.begin, tokenizer, template)
    for message in messages:
        before, after = template.turn[message.role]
        space = " " if message.role == "assistant" and before.endswith(":") else ""
        ids += _marked(before, tokenizer, template) + prompt_ids(tokenizer, space + message.text.strip())
        ids += _marked(after, tokenizer, template)
    return ids + _marked(template.turn["assistant"][0], tokenizer, template)


def fitting(
    messages: Sequence[Message], tokenizer: Tokenizer, template: Template, context: int, room: int
) -> list[Message]:
    """Return what of a conversation to show a model that reads ``context`` tokens and is to write ``room`` more.

    The oldest turns are left out, whole, as many as need be; the system's message stays, and so does the last turn,
    whatever its length. Half of the context at most is kept free for what is written.

    Example:
        >>> from tinyllm.tokenizer import ByteTokenizer
        >>> said = [Message("user", "Who are you?"), Message("assistant", "A model."), Message("user", "Oh.")]
        >>> [m.text for m in fitting(said, ByteTokenizer(), TEMPLATES["plain"], context=40, room=10)]
        ['Oh.']
    """
    system = [message for message in messages[:1] if message.role == "system"]
    turns = list(messages[len(system) :])
    most = context - min(room, context // 2)
    while len(turns) > 1 and len(chat_ids([*system, *turns], tokenizer, template)) > most:
        following = (i for i, turn in enumerate(turns) if i and turn.role == "user")
        turns = turns[next(following, len(turns) - 1) :]
    return [*system, *turns]


def template(name: str) -> Template:
    """Return a template by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in TEMPLATES:
        hint = nearest(name, TEMPLATES) or ", ".join(TEMPLATES)
        raise ConfigError(f"chat: there is no template {name!r}", hint=hint)
    return TEMPLATES[name]


def _marked(text: str, tokenizer: Tokenizer, template: Template) -> list[int]:
    """Encode a part of the template itself, in which marks are marks."""
    if not template.marks or not text:
        return prompt_ids(tokenizer, text) if text else []
    if not isinstance(tokenizer, Encoding) or not set(template.marks) <= set(tokenizer.specials.ids):
        raise ConfigError(
            f"chat: the vocabulary has no {' or '.join(template.marks)}", hint=f"not {template.name}: plain, or another"
        )
    return tokenizer.encode(text, allowed_special="all")
