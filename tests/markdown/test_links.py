"""The host that a link names is the one that following it asks."""

import pytest

from assistant.markdown.links import markdown_url, url_host


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a.example/x?y#z", "a.example"),
        ("HTTP://A.example:8080", "a.example"),
        ("https://bücher.example", "xn--bcher-kva.example"),
        ("ftp://a.example", ""),
        ("javascript:alert(1)", ""),
        ("//a.example", ""),
        ("https://a.example@b.example", ""),
        ("https://a.example /", ""),
        ("https://a.example\\@b.example", ""),
        ("https://\u202ea.example", ""),
        ("https://[::1", ""),
    ],
)
def test_a_web_address_has_a_host_unless_it_disguises_it(url: str, host: str) -> None:
    assert url_host(url) == host
    assert bool(markdown_url(url)) is bool(host)
