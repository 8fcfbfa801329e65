"""Whatever a learner's code does, a verdict comes, in one sentence, and the next check works."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinyllm.learn.loop.worker import Worker
from tinyllm.learn.verdict import Verdict

posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


def test_a_right_function_passes_and_its_source_and_output_come_along(desk):
    verdict = desk.check("print('so far so good')\nreturn 42")
    assert (verdict.state, verdict.because) == ("passed", "")
    assert desk.worker.output == "so far so good\n"
    assert desk.worker.source == desk.file.read_text()


def test_what_is_printed_is_never_taken_for_a_verdict(desk):
    forged = Verdict("99.1", "passed").as_json()
    body = f"""
    import json, sys, os
    text = json.dumps({{"mark": "0", "verdict": {forged!r}, "source": ""}})
    print(text); print(text, file=sys.stderr); sys.__stdout__.write(text + chr(10)); os.write(1, text.encode())
    return 41
    """
    verdict = desk.check(body)
    assert verdict.state == "failed"
    assert verdict.because == "It is not 42."
    assert desk.worker.output.count('"passed"') == 4


@pytest.mark.parametrize(
    ("body", "sentence", "line"),
    [
        ("import sys; sys.exit(0)", "calls sys.exit()", 3),
        ("exit()", "calls sys.exit()", 3),
        ("raise KeyboardInterrupt", "raised KeyboardInterrupt", 3),
        ("return input('? ')", "waits for input()", 3),
        ("return answer()", "calls itself without an end", 3),
        ("import numpy as np\nreturn np.ones((10**7, 10**7))", "more memory than there is", 4),
        ("return 1 / 0", "ZeroDivisionError: division by zero", 3),
        ("class Odd(Exception): pass\nraise Odd", "Odd: no message", 4),
        ("import os; os._exit(0)", "ended its Python process before the check was done", 0),
    ],
)
def test_each_becomes_a_sentence_with_its_line(desk, body, sentence, line):
    verdict = desk.check(body)
    assert verdict.state == "failed"
    assert sentence in verdict.because
    assert verdict.where == (f"my/l99_fake.py:{line}" if line else "")
    assert desk.check("return 42").passed


def test_what_numba_cannot_compile_is_one_sentence(desk):
    pytest.importorskip("numba")
    head = "from numba import njit\n@njit\ndef double(x):\n    return x + 'a'"
    verdict = desk.check("return double(1)", head)
    assert verdict.because == "Numba cannot compile it: there is no add(int64, Literal[str](a)) (line 4)"
    assert verdict.where == "my/l99_fake.py:6"


def test_the_stub_is_no_failure(desk):
    assert desk.check("raise NotImplementedError('99.1')").state == "stub"
    assert desk.check("raise NotImplementedError('another')").state == "failed"


@posix
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("import ctypes; ctypes.string_at(0)", "segmentation fault"),
        ("import os; os.abort()", "gave up (abort)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory ran out"),
    ],
)
def test_a_crash_of_the_interpreter(desk, body, sentence):
    verdict = desk.check(body)
    assert sentence in verdict.because
    if "memory" not in sentence:
        assert verdict.where == "my/l99_fake.py:3"
    assert desk.check("return 42").passed


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "import time; time.sleep(1000)",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ],
)
def test_an_endless_loop_ends_and_its_line_is_told(desk, body):
    verdict = desk.check(body, timeout=0.5)
    assert "still running after 0.5 s, at my/l99_fake.py:" in verdict.because
    assert desk.check("return 42").passed


@posix
def test_a_loop_that_python_cannot_interrupt(desk):
    """A signal handler's or a thread's turn never comes: the pattern's search holds the interpreter's lock."""
    verdict = desk.check("import re; return re.match('(a+)+b', 'a' * 40)", timeout=0.5)
    assert "still running after 0.5 s" in verdict.because


def test_endless_output(desk):
    verdict = desk.check("while True: print('x' * 1000)")
    assert "printed more than 8 MiB" in verdict.because
    assert len(desk.worker.output) < 21_000
    assert desk.check("return 42").passed


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the limit on memory is Linux's")
def test_memory_taken_piece_by_piece(desk):
    verdict = desk.check("kept = []\nwhile True: kept.append(bytes(2**28))")
    assert "more memory than there is" in verdict.because


@posix
def test_what_the_code_started_ends_with_it(desk):
    body = """
    import subprocess, sys
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])
    print(child.pid)
    return 42
    """
    assert desk.check(body).passed
    pid = int(desk.worker.output)
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().split()[2]
        except OSError:
            break
        if state == "Z":
            break
        time.sleep(0.02)
    else:
        pytest.fail("it still runs")


def test_threads_left_running_hold_nothing_up(desk):
    body = "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\nreturn 42"
    assert desk.check(body).passed


def test_a_check_is_given_up_for_the_next(desk):
    desk.write("while True: pass")
    desk.worker.begin("99.1", timeout=60)
    first = desk.worker._job.child.process
    assert desk.worker.poll() is None
    desk.write("return 42")
    desk.worker.begin("99.1")
    assert first.poll() is not None
    while (checked := desk.worker.poll(1.0)) is None:
        pass
    assert checked.verdict.passed
    assert not desk.worker.busy


def test_the_spare_waits_and_is_another_process_each_time(desk):
    body = "import os; print(os.getpid())\nreturn 42"
    pids = []
    for _ in range(3):
        assert desk.check(body).passed
        pids.append(int(desk.worker.output))
        assert desk.worker._spare.alive
    assert len(set(pids)) == 3


def test_a_spare_that_was_killed_is_replaced(desk):
    desk.worker.prepare()
    desk.worker._spare.process.kill()
    desk.worker._spare.process.wait()
    assert desk.check("return 42").passed


def test_closing_ends_every_process(desk):
    assert desk.check("return 42").passed
    spare = desk.worker._spare.process
    desk.write("while True: pass")
    desk.worker.begin("99.1")
    running = desk.worker._job.child.process
    desk.worker.close()
    assert spare.poll() is not None
    assert running.poll() is not None


def test_a_process_whose_parent_is_gone_ends(desk):
    """The loop's terminal is closed: a waiting process sees the end of its input."""
    desk.worker.prepare()
    child = desk.worker._spare.process
    child.stdin.close()
    assert child.wait(60) == 0


def test_a_check_that_cannot_start_says_why(tmp_path):
    with Worker(tmp_path / "my", "no_such_module:examine") as worker:
        verdict = worker.check("99.1")
    assert "No module named 'no_such_module'" in verdict.because


def test_warnings_are_output(desk):
    assert desk.check("import numpy as np\nnp.log(np.zeros(1))\nreturn 42").passed
    assert "divide by zero" in desk.worker.output


def test_output_beyond_ascii(desk):
    assert desk.check("print('∂ ≤ 日本')\nreturn 42").passed
    assert desk.worker.output == "∂ ≤ 日本\n"


def test_a_module_of_the_learners_never_replaces_a_library(desk):
    (desk.folder.parent / "random.py").write_text("raise SystemExit('hijacked')")
    (desk.folder.parent / "json.py").write_text("raise SystemExit('hijacked')")
    assert desk.check("import random, json\nreturn 42").passed


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX groups")
def test_ctrl_c_in_the_terminal_does_not_reach_a_check(desk):
    desk.worker.prepare()
    assert os.getpgid(desk.worker._spare.process.pid) != os.getpgid(0)


def test_the_module_runs_as_a_program_and_ends_without_a_job():
    command = [sys.executable, "-m", "tinyllm.learn.loop.examine"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
