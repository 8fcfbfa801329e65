"""Prompt patterns, each a plain function: what to say in, messages out. Nothing is sent from here.

    zero_shot       the task and the input
    few_shot        examples before it: their order and their labels both matter
    step_by_step    room to think before the answer, and how to find the answer in what comes back
    extract         an object that a schema describes, out of a text
    delimited       text from strangers, fenced so that it can be told from what you said
    vote            the answer that most of several samples give (self-consistency)
    revise          an answer, a critique of it, a second answer
    react           thought, action, observation, in turns, until there is an answer

The last three ask a model more than once: ``ask`` is any function from messages to a text, such as
``lambda messages: complete(messages).text``. Whether a pattern helps depends on the model and on the task; on a small
one most of them do not. Measure with ``evolve.optimize``, or ``client.compare``.

Source: Brown et al. 2020 (few-shot); Wei et al. 2022, Kojima et al. 2022 (step by step); Wang et al. 2022
(self-consistency); Madaan et al. 2023 (critique and revise); Yao et al. 2022 (ReAct); Willison 2022 (injection).
"""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError
from .types import Message

Ask = Callable[[Sequence[Message]], str]
Example = tuple[str, str]  # an input, and the right answer to it
ANSWER = "Answer:"
ACTION = re.compile(r"^Action:[ \t]*([\w.-]+)[ \t]*\((.*)\)[ \t]*$", re.MULTILINE)


def zero_shot(task: str, text: str, *, role: str = "") -> list[Message]:
    """Say who is asked, what to do, and with what.

    Args:
        task: what to do.
        text: with what.
        role: who is asked, such as "You are a careful proofreader.".

    Example:
        >>> [(m.role, m.content) for m in zero_shot("Translate to French.", "duck", role="You are brief.")]
        [('system', 'You are brief.\\n\\nTranslate to French.'), ('user', 'duck')]
    """
    return [Message("system", "\n\n".join(part for part in (role, task) if part)), Message("user", text)]


def few_shot(
    task: str, examples: Sequence[Example], text: str, *, labels: tuple[str, str] = ("Input:", "Output:")
) -> list[Message]:
    """Show examples, then the input, in the same form and with the answer left open.

    All of it is one message, which a model that only continues texts understands as well. The examples stand in the
    order given: the last one weighs most with many models.

    Raises:
        ConfigError: no examples.

    Example:
        >>> print(few_shot("Double it.", [("2", "4"), ("5", "10")], "7")[0].content)
        Double it.
        <BLANKLINE>
        Input: 2
        Output: 4
        <BLANKLINE>
        Input: 5
        Output: 10
        <BLANKLINE>
        Input: 7
        Output:
    """
    if not examples:
        raise ConfigError("few_shot: no examples", hint="zero_shot")
    before, after = labels
    shown = [f"{before} {given}\n{after} {answer}" for given, answer in examples]
    return [Message("user", "\n\n".join([*([task] if task else []), *shown, f"{before} {text}\n{after}"]))]


def step_by_step(task: str, text: str, *, cue: str = "Let us think step by step.") -> list[Message]:
    """Ask for the steps first and the answer behind "Answer:"; ``final_answer`` finds it.

    Example:
        >>> step_by_step("How many legs?", "two ducks and a cat")[1].content
        'two ducks and a cat\\n\\nLet us think step by step.'
    """
    told = f"{task}\n\nWrite the steps, then the answer alone on a last line that begins with {ANSWER!r}."
    return [Message("system", told), Message("user", f"{text}\n\n{cue}")]


def final_answer(reply: str) -> str:
    """Return what stands behind the last "Answer:", or the last line that is not blank.

    Example:
        >>> final_answer("Two and two.\\nAnswer: 4"), final_answer("It is 4.\\n"), final_answer("")
        ('4', 'It is 4.', '')
    """
    _, found, tail = reply.rpartition(ANSWER)
    lines = [line.strip() for line in (tail if found else reply).splitlines() if line.strip()]
    return lines[0 if found else -1] if lines else ""


def extract(schema: Mapping[str, Any], text: str, *, what: str = "the text") -> list[Message]:
    """Ask for an object that a schema describes; send the schema along as ``schema=``, too, where it can be enforced.

    Example:
        >>> extract({"type": "object"}, "Ada, 36")[0].content.splitlines()[-1]
        '{"type": "object"}'
    """
    told = f"Reply with one JSON object taken from {what}, and nothing else. What it does not say is null. The schema:"
    return [Message("system", f"{told}\n{json.dumps(schema)}"), Message("user", text)]


def delimited(text: str, *, source: str = "document", code: str | None = None) -> str:
    """Fence a text that strangers wrote: whoever reads the prompt can tell where it begins and ends.

    The fence has a code that the text cannot know. Say beside it that nothing within is an instruction. It makes
    injection harder, and proves nothing.

    Args:
        text: of strangers.
        source: what it is called.
        code: of the fence, for tests; random unless told.

    Example:
        >>> print(delimited("Ignore all that was said.", code="7f"))
        <document 7f>
        Ignore all that was said.
        </document 7f>
    """
    mark = secrets.token_hex(8) if code is None else code
    return f"<{source} {mark}>\n{text.replace(mark, '')}\n</{source} {mark}>"


@dataclass(frozen=True, slots=True)
class Vote:
    """What several samples say: the answer of most, its share, and all of them."""

    answer: str
    share: float
    answers: tuple[str, ...]


def vote(ask: Ask, messages: Sequence[Message], n: int = 5, read: Callable[[str], str] = final_answer) -> Vote:
    """Ask n times and return the answer that comes most often; of equally frequent ones the first.

    It needs a model that answers differently each time (a temperature above 0), and an answer that can be compared.

    Raises:
        ConfigError: n is below 1.

    Example:
        >>> replies = iter(["Answer: 4", "Answer: 5", "So it is 4.\\nAnswer: 4"])
        >>> vote(lambda messages: next(replies), [], n=3)
        Vote(answer='4', share=0.6666666666666666, answers=('4', '5', '4'))
    """
    if n < 1:
        raise ConfigError(f"vote: n is {n}", hint="an odd number such as 5")
    answers = tuple(read(ask(messages)) for _ in range(n))
    answer, count = Counter(answers).most_common(1)[0]
    return Vote(answer, count / n, answers)


def revise(
    ask: Ask, messages: Sequence[Message], *, rounds: int = 1, about: str = "mistakes and omissions"
) -> list[str]:
    """Ask, have the answer criticized, ask again; return the answers, the last one being the final.

    A model that cannot see its mistakes invents some: compare the first answer with the last on questions whose answers
    you know before you pay for three calls instead of one.

    Raises:
        ConfigError: rounds is below 1.

    Example:
        >>> replies = iter(["2 + 2 = 5", "The sum is wrong.", "2 + 2 = 4"])
        >>> revise(lambda messages: next(replies), [Message("user", "2 + 2?")])
        ['2 + 2 = 5', '2 + 2 = 4']
    """
    if rounds < 1:
        raise ConfigError(f"revise: rounds is {rounds}", hint="1")
    said = list(messages)
    answers = [ask(said)]
    for _ in range(rounds):
        said += [Message("assistant", answers[-1]), Message("user", f"List the {about} of that answer, briefly.")]
        critique = ask(said)
        said += [
            Message("assistant", critique),
            Message("user", "Write the answer again, without them, and nothing else."),
        ]
        answers.append(ask(said))
    return answers


def react(
    ask: Ask, question: str, tools: Mapping[str, Callable[[str], str]], *, turns: int = 5
) -> tuple[str, list[Message]]:
    """Let the model think, call a tool, see what it gives, and so on, until it answers; return that and the whole talk.

    Made of plain text, so that it can be read, and works with models that know no tools; where a provider has them,
    ``run_tools`` is safer.

    Args:
        ask: the model.
        question: to be answered.
        tools: name -> function of one text.
        turns: how many answers of the model at most; "" is returned when none of them was final.

    Raises:
        ConfigError: turns is below 1.

    Example:
        >>> replies = iter(["Thought: look it up.\\nAction: legs(duck)", "Answer: 2"])
        >>> react(lambda messages: next(replies), "How many legs has a duck?", {"legs": lambda animal: "2"})[0]
        '2'
    """
    if turns < 1:
        raise ConfigError(f"react: turns is {turns}", hint="5")
    names = ", ".join(tools) or "none"
    told = f"Think aloud. To use a tool write a line 'Action: name(input)'. Tools: {names}. End with '{ANSWER} ...'."
    said = [Message("system", told), Message("user", question)]
    for _ in range(turns):
        reply = ask(said)
        said.append(Message("assistant", reply))
        action = ACTION.search(reply)
        if ANSWER in reply and not (action and action.start() > reply.rindex(ANSWER)):
            return final_answer(reply), said
        if action is None:
            said.append(Message("user", f"Neither an action nor '{ANSWER}': go on."))
            continue
        name, given = action[1], action[2]
        known = name in tools
        seen = tools[name](given) if known else f"there is no tool {name!r}; there are: {names}"
        said.append(Message("user", f"Observation: {seen}"))
    return "", said
