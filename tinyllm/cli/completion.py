"""``tinyllm completion``: what makes the shell's Tab key know the commands and their options, made from the parsers."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from .parser import Parser
from .screen import say

SHELLS = ("bash", "zsh", "fish")
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
    from .main import COMMANDS, parser_of

    return {
        name: (summary, _options(parser_of(name))) for group in COMMANDS.values() for name, summary in group.items()
    }


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
    lines.append(f'    COMPREPLY=($(compgen -W "{" ".join(found)} --help --version" -- "$word")); return')
    lines.append("  fi")
    lines.append('  case "${COMP_WORDS[1]} $before" in')
    for name, (_, options) in found.items():
        for option in options:
            if option.choices:
                patterns = "|".join(f'"{name} {flag}"' for flag in option.names)
                lines.append(
                    f'    {patterns}) COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$word")); return ;;'
                )
    lines += ["  esac", '  case "${COMP_WORDS[1]}" in']
    for name, (_, options) in found.items():
        flags = " ".join(flag for option in options for flag in option.names)
        extra = f" {' '.join(SHELLS)}" if name == "completion" else ""
        lines.append(f'    {name}) options="{flags}{extra}" ;;')
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
    lines += [f"    {_quoted(name + ':' + _no_colon(summary))}" for name, (summary, _) in found.items()]
    lines += [
        "  )",
        "  if (( CURRENT == 2 )); then",
        "    _describe command commands; return",
        "  fi",
        '  case "$words[2]" in',
    ]
    for name, (_, options) in found.items():
        parts = []
        for option in options:
            text = f"[{_no_colon(option.help).replace('[', '(').replace(']', ')')}]"
            value = (
                f":value:({' '.join(option.choices)})" if option.choices else ":value:_files" if option.value else ""
            )
            parts += [_quoted(f"{flag}{text}{value}") for flag in option.names]
        parts.append(_quoted(f"*:shell:({' '.join(SHELLS)})" if name == "completion" else "*:file:_files"))
        lines += [
            f"    {name})",
            "      shift words; (( CURRENT-- ))",
            "      _arguments \\",
            "        " + " \\\n        ".join(parts),
            "      ;;",
        ]
    return "\n".join([*lines, "  esac", "}", "compdef _tinyllm tinyllm"]) + "\n"


def fish(found: dict[str, tuple[str, list[Option]]]) -> str:
    """Write the script for fish: one line per option."""
    lines = [
        "complete -c tinyllm -f -n __fish_use_subcommand -l help",
        "complete -c tinyllm -f -n __fish_use_subcommand -l version",
    ]
    for name, (summary, options) in found.items():
        lines.append(f"complete -c tinyllm -f -n __fish_use_subcommand -a {name} -d {_quoted(summary)}")
        where = f"complete -c tinyllm -n '__fish_seen_subcommand_from {name}'"
        if name == "completion":
            lines.append(f"{where} -f -a '{' '.join(SHELLS)}'")
        for option in options:
            flags = " ".join(f"-l {f[2:]}" if f.startswith("--") else f"-s {f[1:]}" for f in option.names)
            values = f" -x -a '{' '.join(option.choices)}'" if option.choices else " -r" if option.value else " -f"
            lines.append(f"{where} {flags}{values} -d {_quoted(option.help)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _no_colon(text: str) -> str:
    return text.replace(":", ";")
