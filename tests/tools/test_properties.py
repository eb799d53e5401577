"""The token estimate, for any text."""

import pytest

from assistant.texts import estimate_tokens

pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.exhaustive


@given(st.text(), st.text())
def test_a_longer_text_never_has_fewer_tokens(first: str, second: str) -> None:
    assert estimate_tokens(first) <= estimate_tokens(first + second)
