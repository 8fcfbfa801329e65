"""The front door: help, exit codes, and every trouble turned into one line."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from tinyllm.cli import main as front
from tinyllm.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_shows_every_command_and_how_to_begin(tinyllm, arguments):
    done = tinyllm(*arguments)
    assert (done.code, done.err) == (0, "")
    for name in front.NAMES:
        assert f"  {name} " in done.out
    for word in ("Usage: tinyllm COMMAND", "Examples", "tinyllm tour", "NO_COLOR", "TINYLLM_THREADS"):
        assert word in done.out
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize("name", front.ALL)
def test_every_command_has_help_with_examples(tinyllm, name):
    done = tinyllm(*name.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: tinyllm {name}")
    assert f"Examples\n  {'tinyllm ' + name if name != 'completion' else 'eval'}" in done.out
    assert tinyllm("help", *name.split()).out == done.out


def test_every_option_is_explained():
    for name in front.ALL:
        for action in front.parser_of(name)._actions:
            assert action.help, f"{name} {action.option_strings or action.dest}"


def test_examples_in_the_help_are_commands_that_exist():
    for name in front.ALL:
        parser = front.parser_of(name)
        known = {flag for action in parser._actions for flag in action.option_strings}
        for line in parser.epilog.splitlines()[1:]:
            assert {word.partition("=")[0] for word in line.split() if word.startswith("--")} <= known, line


def test_version(tinyllm):
    import tinyllm as package

    assert tinyllm("--version").out == f"tinyllm {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["trian"], "tinyllm: there is no command 'trian'; did you mean train?"),
        (["xyzzy"], "tinyllm: there is no command 'xyzzy'"),
        (["--lrr"], "tinyllm: there is no option '--lrr' without a command; see tinyllm --help"),
        (["train", "--lrr", "3"], "tinyllm train: there is no option --lrr; did you mean --lr?"),
        (["train", "--batchsize=3"], "tinyllm train: there is no option --batchsize; did you mean --batch-size?"),
        (["train", "--steps", "x"], "tinyllm train: argument --steps: 'x' is not a whole number"),
        (["train", "--steps", "0"], "tinyllm train: argument --steps: 0 is not a whole number of at least 1"),
        (["train", "--lr", "nan"], "tinyllm train: argument --lr: nan is not a number of at least 0"),
        (["train", "a", "b"], "tinyllm train: one argument too many: 'b'"),
        (["generate", "x", "--which", "bst"], "tinyllm generate: argument --which: invalid choice: 'bst'"),
        (["generate"], "tinyllm generate: the following arguments are required: MODEL"),
        (["completion", "powershell"], "tinyllm completion: argument SHELL: invalid choice: 'powershell'"),
        (["tokens", "train", "x", "--out", "y", "--vocabsize"], "tinyllm tokens train: there is no option --vocabsize"),
    ],
)
def test_what_is_not_understood_gives_2_and_names_the_nearest(tinyllm, arguments, line):
    done = tinyllm(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(line)
    assert "Traceback" not in done.err


def test_commands_of_two_words(monkeypatch):
    assert front._command(["tokens", "train", "x", "--out", "y"]) == ("tokens train", ["x", "--out", "y"])
    assert front._command(["--debug", "tokens", "train"]) == ("tokens train", ["--debug"])
    assert front._command(["tokens", "--", "train"]) == ("tokens", ["--", "train"])
    assert front._command(["tokens", "--encoding", "train"]) == ("tokens", ["--encoding", "train"])
    assert front._command(["help", "tokens", "train"]) == ("tokens train", ["--help"])
    assert front.module_of("tokens train").__name__ == "tinyllm.cli.tokens.train"


def failing(monkeypatch, error):
    def run(_):
        raise error

    monkeypatch.setattr("tinyllm.cli.info.run", run)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConfigError("lr is -1", hint="0 or more"), "tinyllm: E-CONFIG lr is -1. Try: 0 or more\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/a"),
            "tinyllm: runs/a: no space left on device. Try: free ",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "runs"),
            "tinyllm: runs: permission denied. Try: another folder",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a.txt"),
            "tinyllm: a.txt: no such file or directory\n",
        ),
        (MemoryError(), "tinyllm: out of memory. Try: a smaller --batch-size"),
        (ImportError("No module named 'rich'"), "tinyllm: No module named 'rich'. Try: tinyllm doctor\n"),
        (
            ZeroDivisionError("division by zero\nand more"),
            "tinyllm: this should not have happened: ZeroDivisionError: division by zero. Try: --debug",
        ),
        (RuntimeError(), "tinyllm: this should not have happened: RuntimeError: no message. Try: --debug"),
    ],
)
def test_any_error_is_one_line_and_1(tinyllm, monkeypatch, error, line):
    failing(monkeypatch, error)
    done = tinyllm("info")
    assert done.code == 1
    assert done.err.startswith(line)
    assert done.err.count("\n") == 1


def test_debug_shows_the_traceback_and_keeps_the_line(tinyllm, monkeypatch):
    failing(monkeypatch, ConfigError("lr is -1"))
    done = tinyllm("info", "--debug")
    assert "Traceback" in done.err
    assert done.err.endswith("tinyllm: E-CONFIG lr is -1\n")


def test_ctrl_c_gives_130_and_no_traceback(tinyllm, monkeypatch):
    failing(monkeypatch, KeyboardInterrupt())
    done = tinyllm("info")
    assert (done.code, done.err) == (130, "\ntinyllm: interrupted\n")


def test_a_reader_that_goes_away_is_no_error(start):
    process = start("completion", "fish")
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 141


def test_as_a_program_it_returns_its_code(shell):
    assert shell("--version").code == 0
    assert shell("trian").code == 2


def test_asking_for_help_loads_nothing_heavy():
    code = "import sys; from tinyllm.cli.main import main; main(['train', '--help']); main([])\n"
    code += "print({'numpy', 'numba', 'matplotlib', 'rich'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.stdout.endswith("set()\n")


def test_one_command_does_not_load_the_others():
    code = "import sys; from tinyllm.cli.main import main; main(['info', '--help'])\n"
    code += "print(sorted(m for m in sys.modules if m.startswith('tinyllm.cli.')))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    loaded = done.stdout.splitlines()[-1]
    assert loaded == "['tinyllm.cli.info', 'tinyllm.cli.main', 'tinyllm.cli.parser', 'tinyllm.cli.screen']"
