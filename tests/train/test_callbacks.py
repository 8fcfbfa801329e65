from __future__ import annotations

import pytest

from tinyllm.errors import ConfigError
from tinyllm.train.callbacks import Listeners


class Steps:
    def __init__(self):
        self.told = []

    def on_step(self, info):
        self.told.append(info)


def test_each_callback_is_told_what_it_listens_to():
    one, two = Steps(), Steps()
    everyone = Listeners([one, two])
    everyone.tell("on_step", 3)
    everyone.tell("on_eval", 3, 1.0, 2.0)
    assert one.told == two.told == [3]


def test_a_misspelled_event_is_refused():
    class Wrong:
        def on_steps(self, info): ...

    with pytest.raises(ConfigError, match=r"Wrong\.on_steps.*Try: on_step"):
        Listeners([Wrong()])


def test_an_object_that_listens_to_nothing_is_refused():
    with pytest.raises(ConfigError, match="no callback"):
        Listeners([print])
