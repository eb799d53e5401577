"""Server-sent events."""

import pytest

from assistant.transports.sse import events as sse_events


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_parsed_with_any_line_ending_and_split_anywhere(end: str, size: int) -> None:
    lines = [
        ": hello",
        "data: {",
        'data: "a": "b\u2028c\x85d"}',
        "",
        "event: x",
        "data:1",
        "id: 4",
        "",
        "data: end",
    ]
    stream = end.join(lines).encode()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert list(sse_events(pieces)) == [("", '{\n"a": "b\u2028c\x85d"}'), ("x", "1"), ("", "end")]


def test_a_byte_order_mark_and_empty_data_are_not_part_of_the_events() -> None:
    stream = b"\xef\xbb\xbfdata: 1\n\ndata:\n\nevent: ping\ndata:  \n\ndata: \xef\xbb\xbf2\n\n"
    assert list(sse_events([stream])) == [("", "1"), ("", "\ufeff2")]
