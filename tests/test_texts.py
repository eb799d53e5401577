"""Tokens are estimated from the number of ASCII and other characters."""

from assistant.texts import estimate_tokens

TEXTS = ("", "a", "four", "fours", "京都へ", "京 都")


def test_tokens_are_estimated() -> None:
    assert [estimate_tokens(each) for each in TEXTS] == [0, 1, 1, 2, 3, 3]


def test_a_cautious_estimate_is_higher_for_ascii_text() -> None:
    assert [estimate_tokens(each, cautious=True) for each in TEXTS] == [0, 1, 2, 2, 3, 3]
