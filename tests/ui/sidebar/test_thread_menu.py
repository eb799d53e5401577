"""What can be done with a chat of the list."""

import pytest

from assistant.ui.sidebar.thread_menu import plain_title


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Weather in Oslo", "Weather in Oslo"),
        ("6*7?", "6 7"),
        ("../../etc/passwd", "etc passwd"),
        ("京都のホテルは？", "京都のホテルは"),
        ('a\\b:c"d<e>|\n', "a b c d e"),
        ("", "chat"),
        ("???", "chat"),
    ],
)
def test_an_export_and_a_menu_are_named_after_their_chat(title: str, name: str) -> None:
    assert plain_title(title) == name
