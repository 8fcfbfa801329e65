"""``pytest --mine``: hold everything in my/, stubs too, to the library's own tests.

    pytest --mine                        every test, on your functions
    pytest tests/autograd --mine         the engine's
    TINYLLM_MINE=10 pytest --mine        with lesson 10 only

Your functions step in only while a test runs: a test file may call the library while pytest reads it, and a stub would
end that reading. Tests of the course itself are left out; they try the swap, and have the library to compare with.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ..errors import TinyLLMError

_OWN = ("tests/learn/", "tinyllm/learn/", "tests/cli/test_learn", "tests/cli/test_mine")  # of the course


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option."""
    parser.getgroup("tinyllm").addoption(
        "--mine", action="store_true", help="run the tests on your functions in my/ (which: TINYLLM_MINE)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Swap, before any test file is imported."""
    if config.getoption("--mine"):
        config.pluginmanager.register(Mine(os.environ.get("TINYLLM_MINE") or "all"), "tinyllm-mine")


class Mine:
    """The learner's functions in one run of pytest.

    Args:
        which: of them, as ``mine`` takes it.
    """

    def __init__(self, which: str) -> None:
        from .exercises import lesson_of
        from .slots.slot import Slot
        from .slots.swap import chosen, place, swap
        from .work.workspace import Workspace

        self.on = False
        self.troubles: list[str] = []
        self.stack = ExitStack()
        workspace = Workspace.find()
        functions, places = {}, {}
        for exercise in chosen(which):
            if not workspace.file(lesson_of(exercise)).exists():
                continue
            try:
                theirs = workspace.load(exercise)
                places[exercise.id] = place(theirs)
            except TinyLLMError as error:  # a file that is not Python: its slots fail, the rest goes on
                self.troubles += [] if error.message in self.troubles else [error.message]
                places[exercise.id] = "cannot be loaded"
                theirs = _raising(error)
            functions[exercise] = self.held(theirs, Slot.of(exercise.slot).function)
        if not functions:
            raise pytest.UsageError(
                f"--mine: there is nothing of yours in {workspace.folder}. Try: tinyllm learn start"
            )
        self.receipt = self.stack.enter_context(swap(functions))
        for entry in self.receipt.entries:
            entry.where = places.get(entry.id, entry.where)

    def held(self, theirs: Callable[..., Any], library: Callable[..., Any]) -> Callable[..., Any]:
        """Return what calls theirs while a test runs, and the library's at all other times."""

        @functools.wraps(library)
        def function(*args: Any, **kwargs: Any) -> Any:
            return theirs(*args, **kwargs) if self.on else library(*args, **kwargs)

        return function

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        """Let the learner's functions run while a test does."""
        self.on = True
        yield
        self.on = False

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the tests of the course itself, and of compiled kernels: they step aside for the learner's."""
        own = [item for item in items if item.nodeid.startswith(_OWN) or item.get_closest_marker("compiled")]
        if own:
            config.hook.pytest_deselected(items=own)
            items[:] = [item for item in items if item not in own]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the receipt."""
        terminalreporter.section("your functions in the library's tests")
        for line in [*self.troubles, *self.receipt.text().splitlines()]:
            terminalreporter.write_line(line)

    def pytest_unconfigure(self) -> None:
        """Give the slots back."""
        self.stack.close()


def _raising(error: TinyLLMError) -> Callable[..., Any]:
    def function(*_: Any, **__: Any) -> Any:
        raise error

    return function
