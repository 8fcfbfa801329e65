"""The table of bad input for learners: each gives one sentence, no traceback, and the file stays as it was."""

from __future__ import annotations

import os
import sys

import pytest

from tinyllm.learn import worker
from tinyllm.learn.exercises import exercise

ID = "04.2"
HEAD = "import numpy as np\n\n\ndef softmax(x, axis=-1):\n"


def told(done):
    """Everything that was said, as one line."""
    return " ".join((done.out + done.err).split())


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "SECONDS", 2.0)
    path = tmp_path / "my" / "l04_next_byte.py"
    path.parent.mkdir()
    return path


CASES = {
    "endless loop": (HEAD + "    while True:\n        pass\n", "still running after 2 s, at my/l04_next_byte.py:"),
    "syntax error": (HEAD + "    return x +\n", "my/l04_next_byte.py:5: invalid syntax"),
    "tabs and blanks": (HEAD + "    y = x\n\treturn y\n", "my/l04_next_byte.py:6:"),
    "open bracket": (HEAD + "    return (x\n", "my/l04_next_byte.py:5: '(' was never closed"),
    "exit": ("import sys\n" + HEAD + "    sys.exit(0)\n", "sys.exit"),
    "hard exit": ("import os\n" + HEAD + "    os._exit(0)\n", "ended its Python process before the check was done"),
    "exit at import": ("raise SystemExit\n" + HEAD + "    return x\n", "py:1: the file ends the program"),
    "error at import": ("1 / 0\n" + HEAD + "    return x\n", "py:1: the file cannot be imported: Zero"),
    "loop at import": (HEAD + "    return x\n\n\nwhile True:\n    pass\n", "still running after 2 s"),
    "missing module": ("import torchh\n" + HEAD + "    return x\n", "No module named 'torchh'"),
    "input changed": (
        HEAD + "    x -= x.max(axis, keepdims=True)\n    x = np.exp(x)\n    return x / x.sum(axis, keepdims=True)\n",
        "writes into what it was given",
    ),
    "arity": (HEAD.replace("x, axis=-1", "") + "    return 1\n", "It takes (), and is called with"),
    "none": (HEAD + "    np.exp(x)\n", "It returns None: is `return` missing?"),
    "a list": (HEAD + "    return list(x)\n", "04.2 softmax"),
    "text": (HEAD + "    return 'a softmax'\n", "04.2 softmax"),
    "shape": (HEAD + "    return np.exp(x).sum(-1)\n", "softmax"),
    "dtype": (HEAD + "    e = np.exp(x - x.max(axis, keepdims=True), dtype=np.float64)\n"
              "    return e / e.sum(axis, keepdims=True)\n", "float32 went in and float64 came out"),
    "nan": (HEAD + "    return x * np.nan\n", "nan where 0.25 is expected"),
    "undefined name": (HEAD + "    return exp(x)\n", "`exp` is used, and nothing of that name is defined"),
    "recursion": (HEAD + "    return softmax(x, axis)\n", "calls itself without an end"),
    "huge array": (HEAD + "    return np.ones((10**7, 10**7))\n", "more memory than there is"),
    "flood": (HEAD + "    while True:\n        print('x' * 1000)\n", "printed more than 8 MiB"),
    "input()": (HEAD + "    return input()\n", "EOFError"),
    "another name": (HEAD.replace("softmax", "sofmax") + "    return x\n", "is it sofmax? The function is to be"),
    "a class": ("class softmax:\n    pass\n", "softmax is a class, not a function"),
    "a number": ("softmax = 3\n", "softmax is of type int, not a function"),
    "empty": ("", "my/l04_next_byte.py has no function softmax"),
    "not utf-8": (HEAD.encode() + b"    return 'caf\xe9'\n", "save the file as UTF-8"),
    "binary": (b"\x00\x01\x02\xff" * 100, "my/l04_next_byte.py"),
    "nested too deep": (HEAD + "    return " + "(" * 3000 + "x" + ")" * 3000 + "\n", "my/l04_next_byte.py"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_becomes_a_sentence(tinyllm, file, name):
    content, sentence = CASES[name]
    content = content if isinstance(content, bytes) else content.encode()
    file.write_bytes(content)
    done = tinyllm("learn", "check", ID)
    assert done.code == 1
    assert sentence in told(done)
    assert "Traceback" not in done.out + done.err
    assert done.err == ""
    assert len(done.out.splitlines()) < 60
    assert file.read_bytes() == content


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_crash_of_the_interpreter(tinyllm, file):
    file.write_text(HEAD + "    import ctypes\n    ctypes.string_at(0)\n")
    assert "the code crashed Python itself, at my/l04_next_byte.py:6" in told(tinyllm("learn", "check", ID))


def test_what_numba_cannot_compile(tinyllm, file):
    pytest.importorskip("numba")
    file.write_text(
        "from numba import njit\n\n\n@njit\ndef double(x):\n    return x + 'a'\n\n\n" + HEAD + "    return double(1)\n"
    )
    done = tinyllm("learn", "check", ID)
    assert done.code == 1 and "Traceback" not in done.out
    assert "Numba cannot compile it: there is no add(int64, Literal[str](a)) (line 6)" in told(done)
    assert len(done.out.splitlines()) < 30


@pytest.mark.parametrize("ends", [b"\r\n", b"\xef\xbb\xbf"], ids=["CRLF", "byte order mark"])
def test_files_as_windows_writes_them(tinyllm, file, ends):
    text = HEAD + "    e = np.exp(x - x.max(axis, keepdims=True))\n    return e / e.sum(axis, keepdims=True)\n"
    content = text.replace("\n", "\r\n").encode() if ends == b"\r\n" else ends + text.encode()
    file.write_bytes(content)
    assert tinyllm("learn", "check", ID).code == 0
    assert tinyllm("learn", "reset", ID, "--yes").code == 0
    assert tinyllm("learn", "undo", "04").code == 0
    assert file.read_bytes() == content


def test_a_file_that_was_deleted(tinyllm, file):
    file.write_text(HEAD + "    return x\n")
    tinyllm("learn", "check", ID)
    file.unlink()
    done = tinyllm("learn", "check", ID)
    assert done.code == 1 and "my/l04_next_byte.py is not there" in told(done)
    assert tinyllm("learn", "undo", "04").code == 0
    assert file.read_text() == HEAD + "    return x\n"


def test_code_that_deletes_its_own_file(tinyllm, file):
    text = "import os\n" + HEAD + "    os.remove(__file__)\n    return x\n"
    file.write_text(text)
    assert tinyllm("learn", "check", ID).code == 1
    assert not file.exists()
    assert tinyllm("learn", "undo", "04").code == 0
    assert file.read_text() == text


def test_the_whole_folder_deleted(tinyllm, file):
    file.parent.rmdir()
    done = tinyllm("learn", "check", ID)
    assert done.code == 1 and "tinyllm learn start 04" in told(done)


def test_a_folder_in_the_file_s_place(tinyllm, file):
    file.mkdir()
    done = tinyllm("learn", "check", ID)
    assert done.code == 1 and "cannot be read" in told(done) and "Traceback" not in told(done)


def test_a_file_in_the_folder_s_place(tinyllm, tmp_path):
    (tmp_path / "my").write_text("mine")
    done = tinyllm("learn", "start", "04")
    assert done.code == 1 and done.err.count("\n") == 1
    assert (tmp_path / "my").read_text() == "mine"


def test_a_folder_that_cannot_be_written_costs_no_verdict(tinyllm, file, monkeypatch):
    from tinyllm.errors import LearnError
    from tinyllm.learn import history, progress

    def refuse(path, content):
        raise LearnError(f"cannot write {path}: read-only file system")

    monkeypatch.setattr(history, "write", refuse)
    monkeypatch.setattr(progress, "write", refuse)
    file.write_text(HEAD + "    return x\n")
    done = tinyllm("learn", "check", ID)
    assert done.code == 1 and "FAIL" in done.out
    assert "read-only file system: the verdict stands, but it is not remembered" in done.err
    assert "hint 1 of 3" in tinyllm("learn", "hint", ID).out
    assert "read-only" in tinyllm("learn", "reset", ID, "--yes").err
    assert file.read_text() == HEAD + "    return x\n"


def test_progress_that_is_damaged_or_deleted_loses_nothing(tinyllm, file):
    file.write_text(
        HEAD + "    e = np.exp(x - x.max(axis, keepdims=True))\n    return e / e.sum(axis, keepdims=True)\n"
    )
    assert tinyllm("learn", "check", ID).code == 0
    cache = file.parent / ".progress.json"
    for damage in (b"", b"{", b"[]", b'{"passed": 3}', b"\xff\xfe"):
        cache.write_bytes(damage)
        assert "0 of" in tinyllm("learn", "status").out
        assert tinyllm("learn", "check", ID).code == 0
        assert "1 of" in tinyllm("learn", "status").out


def test_two_terminals_at_once(start, file):
    """Both check and remember; neither loses what the other wrote, and the file is untouched."""
    text = HEAD + "    e = np.exp(x - x.max(axis, keepdims=True))\n    return e / e.sum(axis, keepdims=True)\n"
    file.write_text(text)
    processes = [start("learn", "check", ID, cwd=file.parents[1]) for _ in range(4)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, ""), out
    assert file.read_text() == text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "cp932"])
def test_code_pages(shell, file, encoding):
    file.write_text(HEAD + "    print('∂ ≤ 日本 é')\n    return x\n", encoding="utf-8")
    options = {"env": {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}, "errors": "replace"}
    done = shell("learn", "check", ID, cwd=file.parents[1], **options)
    assert done.code == 1 and "FAIL" in done.out and done.err == ""
    done = shell("learn", "hint", ID, "-3", cwd=file.parents[1], **options)
    assert done.code == 0 and exercise(ID).hints[2].split()[0] in done.out


def test_a_library_of_the_same_name_beside_the_learner_s_file(tinyllm, file):
    (file.parents[1] / "numpy.py").write_text("raise SystemExit('not this one')\n")
    file.write_text(
        HEAD + "    e = np.exp(x - x.max(axis, keepdims=True))\n    return e / e.sum(axis, keepdims=True)\n"
    )
    assert tinyllm("learn", "check", ID).code == 0


def test_the_loop_of_a_learner_cannot_outlive_its_command(start, file):
    """Whoever closes the terminal leaves no process behind that turns for ever."""
    file.write_text(
        "import os\n" + HEAD + "    open('pid', 'w').write(str(os.getpid()))\n    while True:\n        pass\n"
    )
    process = start("learn", "check", ID, cwd=file.parents[1])
    marker = file.parents[1] / "pid"
    until(lambda: marker.exists() and marker.read_text())
    process.kill()
    process.communicate()
    until(lambda: not alive(int(marker.read_text())), seconds=30)


def until(condition, seconds=60):
    import time

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid):
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/stat") as file:
                return file.read().split()[2] != "Z"
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
