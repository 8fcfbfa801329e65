"""``tinyllm completion``: the scripts know every command and option, and bash believes them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tinyllm.cli import completion
from tinyllm.cli.main import ALL, parser_of


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_command_and_option_is_there(tinyllm, shell):
    done = tinyllm("completion", shell)
    assert (done.code, done.err) == (0, "")
    for name in ALL:
        assert name in done.out
        for action in parser_of(name)._actions:
            for flag in action.option_strings:
                assert (flag if shell != "fish" else flag.lstrip("-")) in done.out


def test_bash_knows_exactly_the_options_of_each_command(tinyllm):
    script = tinyllm("completion", "bash").out
    for name in ALL:
        (line,) = [line for line in script.splitlines() if line.startswith(f'    "{name}") options="')]
        words = {word for word in line.split('"')[3].split() if word.startswith("-")}
        assert words == {flag for action in parser_of(name)._actions for flag in action.option_strings}


@pytest.mark.parametrize("shell", [s for s in completion.SHELLS if shutil.which(s)])
def test_the_shell_can_read_its_script(tinyllm, shell):
    script = tinyllm("completion", shell).out
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tinyllm", "tr"], {"train"}),
        (["tinyllm", "train", "--warm"], {"--warmup"}),
        (["tinyllm", "generate", "--which", ""], {"best", "latest"}),
        (["tinyllm", "completion", "z"], {"zsh"}),
        (["tinyllm", "data", "li"], {"list"}),
        (["tinyllm", "data", "get", "cl"], {"cl100k_base"}),
        (["tinyllm", "chat", "stor"], {"stories260K"}),
        (["tinyllm", "convert", "--dtype", "Q8"], {"Q8_0"}),
        (["tinyllm", "tok"], {"tokens"}),
        (["tinyllm", "tokens", "tr"], {"train"}),
        (["tinyllm", "tokens", "train", "--vocab"], {"--vocab-size"}),
        (["tinyllm", "train", "note"], {"notes.txt"}),
    ],
)
def test_bash_completes(tinyllm, tmp_path, words, expected):
    (tmp_path / "notes.txt").write_text("x")
    quoted = " ".join(f"'{word}'" for word in words)
    script = tinyllm("completion", "bash").out
    script += f'COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _tinyllm; printf "%s\\n" "${{COMPREPLY[@]}}"\n'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert set(done.stdout.split()) == expected


def test_the_shell_in_use_is_the_default(tinyllm, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert tinyllm("completion").out == tinyllm("completion", "fish").out
    monkeypatch.setenv("SHELL", "/usr/bin/tcsh")
    assert tinyllm("completion").out == tinyllm("completion", "bash").out
