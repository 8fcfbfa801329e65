from __future__ import annotations

import signal
import threading

import pytest

from tinyllm.train.interrupt import Interrupt


def press():
    signal.raise_signal(signal.SIGINT)


def test_the_first_is_noted_and_the_second_raises():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:
        assert not interrupt.asked
        press()
        assert interrupt.asked
        press()
    assert signal.getsignal(signal.SIGINT) is before


def test_afterwards_it_raises_as_before():
    with Interrupt():
        pass
    with pytest.raises(KeyboardInterrupt):
        press()


def test_in_another_thread_nothing_is_installed():
    done = []

    def work():
        with Interrupt() as interrupt:
            done.append(interrupt.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [False]


def test_a_process_that_ignores_it_goes_on_ignoring():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            press()
            assert not interrupt.asked
    finally:
        signal.signal(signal.SIGINT, before)
