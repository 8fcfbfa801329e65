"""``tinyllm completion``: what makes the shell's Tab key know the commands and their options, made from the parsers."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .parser import Parser
from .screen import say

SHELLS = WORDS = ("bash", "zsh", "fish")
EXAMPLES = """\
  eval "$(tinyllm completion bash)"                                in ~/.bashrc
  eval "$(tinyllm completion zsh)"                                 in ~/.zshrc, after compinit
  tinyllm completion fish > ~/.config/fish/completions/tinyllm.fish
"""


@dataclass(frozen=True)
class Option:
    """An option of a command: its names, its help, its choices, and whether it takes a value."""

    names: tuple[str, ...]
    help: str
    choices: tuple[str, ...]
    value: bool


def add_arguments(parser: Parser) -> None:
    """Declare the argument."""
    shell = Path(os.environ.get("SHELL", "")).name
    parser.add_argument(
        "shell", metavar="SHELL", nargs="?", choices=SHELLS, default=shell if shell in SHELLS else "bash",
        help="bash, zsh or fish; by default the one in $SHELL",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    say({"bash": bash, "zsh": zsh, "fish": fish}[args.shell](commands()), end="")
    return 0


def commands() -> dict[str, tuple[str, list[Option]]]:
    """Return for each command what it does and its options, as its parser has them."""
    from .main import ALL, parser_of, summary_of

    return {name: (summary_of(name), _options(parser_of(name))) for name in ALL}


def words_of(name: str) -> tuple[str, ...]:
    """Return what may follow a command besides its options and files: the WORDS of its module, if it has any."""
    from .main import ALL, module_of

    return tuple(getattr(module_of(name), "WORDS", ())) if name in ALL else ()


def _options(parser: Parser) -> list[Option]:
    return [
        Option(
            tuple(action.option_strings),
            (action.help or "").replace("%%", "%"),
            tuple(map(str, action.choices or ())),
            action.nargs != 0,
        )
        for action in parser._actions
        if action.option_strings
    ]


def bash(found: dict[str, tuple[str, list[Option]]]) -> str:
    """Write the script for bash: words after the command are its options, or files."""
    lines = ["_tinyllm() {", '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" options=""']
    lines.append('  if [ "$COMP_CWORD" -eq 1 ]; then')
    lines.append(f'    COMPREPLY=($(compgen -W "{" ".join(_firsts(found))} --help --version" -- "$word")); return')
    lines.append("  fi")
    lines.append('  local command="${COMP_WORDS[1]}"')
    lines.append('  if [ "$COMP_CWORD" -gt 2 ]; then case "$command ${COMP_WORDS[2]}" in')
    lines += [f'    "{name}") command="{name}" ;;' for name in found if " " in name]
    lines.append("  esac; fi")
    lines.append('  case "$command $before" in')
    for name, (_, options) in found.items():
        for option in options:
            if option.choices:
                patterns = "|".join(f'"{name} {flag}"' for flag in option.names)
                lines.append(
                    f'    {patterns}) COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$word")); return ;;'
                )
    lines += ["  esac", '  case "$command" in']
    for name, (_, options) in found.items():
        flags = [flag for option in options for flag in option.names]
        words = [*flags, *_seconds(found, name), *words_of(name)]
        lines.append(f'    "{name}") options="{" ".join(words)}" ;;')
    lines += [
        "  esac",
        '  COMPREPLY=($(compgen -W "$options" -- "$word"))',
        '  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))',
        "}",
        "complete -o filenames -F _tinyllm tinyllm",
    ]
    return "\n".join(lines) + "\n"


def zsh(found: dict[str, tuple[str, list[Option]]]) -> str:
    """Write the script for zsh, which shows the help text beside each option."""
    lines = ["#compdef tinyllm", "_tinyllm() {", "  local -a commands", "  commands=("]
    lines += [f"    {_quoted(name + ':' + _no_colon(found[name][0]))}" for name in _firsts(found)]
    lines += [
        "  )",
        "  if (( CURRENT == 2 )); then",
        "    _describe command commands; return",
        "  fi",
        '  local command="$words[2]"',
        '  (( CURRENT > 3 )) && case "$words[2] $words[3]" in',
        *(f'    "{name}") command="{name}" ;;' for name in found if " " in name),
        "  esac",
        '  case "$command" in',
    ]
    for name, (_, options) in found.items():
        parts = []
        for option in options:
            text = f"[{_no_colon(option.help).replace('[', '(').replace(']', ')')}]"
            value = (
                f":value:({' '.join(option.choices)})" if option.choices else ":value:_files" if option.value else ""
            )
            parts += [_quoted(f"{flag}{text}{value}") for flag in option.names]
        if seconds := _seconds(found, name):
            parts.append(_quoted(f"1: : _alternative 'command:command:({' '.join(seconds)})' 'file:file:_files'"))
        words = words_of(name)
        parts.append(_quoted(f"*:word:({' '.join(words)})" if words else "*:file:_files"))
        lines += [
            f'    "{name}")',
            f"      shift {len(name.split())} words; (( CURRENT -= {len(name.split())} ))",
            "      _arguments \\",
            "        " + " \\\n        ".join(parts),
            "      ;;",
        ]
    return "\n".join([*lines, "  esac", "}", "compdef _tinyllm tinyllm"]) + "\n"


def fish(found: dict[str, tuple[str, list[Option]]]) -> str:
    """Write the script for fish: one line per option."""
    lines = [
        "function __tinyllm_command",
        "  set -l words (commandline -opc) '' ''",
        '  switch "$words[2] $words[3]"',
        *(f"    case '{name}'\n      echo '{name}'" for name in found if " " in name),
        "    case '*'\n      echo $words[2]",
        "  end",
        "end",
        "complete -c tinyllm -f -n __fish_use_subcommand -l help",
        "complete -c tinyllm -f -n __fish_use_subcommand -l version",
    ]
    for first in _firsts(found):
        lines.append(f"complete -c tinyllm -f -n __fish_use_subcommand -a {first} -d {_quoted(found[first][0])}")
        where = f"complete -c tinyllm -n 'test (__tinyllm_command) = \"{first}\"'"
        for second in _seconds(found, first):
            lines.append(f"{where} -a {second} -d {_quoted(found[f'{first} {second}'][0])}")
    for name, (_, options) in found.items():
        where = f"complete -c tinyllm -n 'test (__tinyllm_command) = \"{name}\"'"
        if words := words_of(name):
            lines.append(f"{where} -f -a '{' '.join(words)}'")
        for option in options:
            flags = " ".join(f"-l {f[2:]}" if f.startswith("--") else f"-s {f[1:]}" for f in option.names)
            values = f" -x -a '{' '.join(option.choices)}'" if option.choices else " -r" if option.value else " -f"
            lines.append(f"{where} {flags}{values} -d {_quoted(option.help)}")
    return "\n".join(lines) + "\n"


def _firsts(found: Iterable[str]) -> list[str]:
    """List the commands of one word."""
    return [name for name in found if " " not in name]


def _seconds(found: Iterable[str], first: str) -> list[str]:
    """List the words that may follow the first one of a command of two."""
    return [name.split()[1] for name in found if name.startswith(f"{first} ")]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _no_colon(text: str) -> str:
    return text.replace(":", ";")
