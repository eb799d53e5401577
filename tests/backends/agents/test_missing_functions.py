"""The file in which a missing function belongs."""

import pytest

from assistant.backends.agents.missing_functions import file_name


@pytest.mark.parametrize(
    ("function", "file"),
    [
        ("get_weather", "get_weather.py"),
        ("../../etc/passwd", "etc_passwd.py"),
        ("天気", "function.py"),
        ("2fast", "function_2fast.py"),
        ("class", "function_class.py"),
        ("x" * 300, "x" * 60 + ".py"),
        ("", "function.py"),
    ],
)
def test_a_missing_function_gets_a_valid_file_name(function: str, file: str) -> None:
    assert file_name(function) == file
