"""Slow work on another thread does not keep Streamlit from ending a script."""

import threading
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from assistant.ui.background import in_background

ended = threading.Event()


def test_items_come_in_order_from_another_thread() -> None:
    def numbers() -> Iterator[tuple[int, bool]]:
        for number in range(3):
            yield number, threading.current_thread() is threading.main_thread()

    assert list(in_background(numbers())) == [(0, False), (1, False), (2, False)]


def test_an_error_is_raised_after_the_items_before_it() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = in_background(numbers())
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_a_script_can_be_ended_while_it_waits() -> None:
    def script() -> None:
        import threading
        from collections.abc import Iterator

        from assistant.ui.background import in_background
        from tests.ui.test_background import ended

        def never() -> Iterator[int]:
            threading.Event().wait()
            yield 1

        try:
            list(in_background(never()))
        finally:
            ended.set()

    ended.clear()
    with pytest.raises(RuntimeError, match="timed out"):  # AppTest then presses Stop
        AppTest.from_function(script, default_timeout=0.1).run()
    assert ended.wait(10)
