"""What can be done with a chat of the list."""

import pytest

from assistant.ui.sidebar.thread_menu import file_stem


@pytest.mark.parametrize(
    ("title", "stem"),
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
def test_an_export_is_named_after_its_chat(title: str, stem: str) -> None:
    assert file_stem(title) == stem
