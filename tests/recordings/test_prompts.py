"""What a request has in common with the one before, as far as a cache can read it."""

from typing import Any

import pytest

from assistant.recordings.entries import EventEntry, RequestEntry, ResponseEntry
from assistant.recordings.prompts import Difference, prompts_of
from assistant.recordings.recording import Recording

URL = "https://api.openai.com/v1/responses"
TOOL = {"type": "function", "name": "add"}
BODY: dict[str, Any] = {
    "model": "m",
    "tools": [TOOL],
    "instructions": "Be brief.",
    "input": [{"text": "One"}],
}
OUTPUT = [{"text": "Two"}]


def recording(*bodies: dict[str, Any], url: str = URL, status: int = 200, **response: Any) -> Recording:
    found = Recording()
    entries: list[Any] = []
    for number, body in enumerate(bodies, 1):
        data = {"type": "response.completed", "response": {"output": OUTPUT, **response}}
        entries += [
            RequestEntry(0, number, "POST", url, body),
            ResponseEntry(0, number, status, "text/event-stream", {}),
            EventEntry(0, number, "response.completed", data),
        ]
    return Recording(found.thread, entries)


def test_the_first_request_has_none_before_it() -> None:
    [use] = prompts_of([recording(BODY)])
    assert (use.exchange, use.is_first, use.difference) == (1, True, None)


def test_a_longer_history_continues_the_prompt_before_it() -> None:
    longer = BODY | {"input": [*BODY["input"], *OUTPUT, {"text": "Three"}]}
    _, use = prompts_of([recording(BODY, longer)])
    assert (use.is_first, use.difference) == (False, None)
    lines = ['{"type": "function", "name": "add"}', "Be brief.", '{"text": "One"}']
    assert use.same_bytes == sum(len(line) + 1 for line in lines)


def test_a_conversation_on_the_server_continues_itself() -> None:
    first = BODY | {"conversation": "conv_1"}
    second = first | {"input": [{"text": "Three"}]}
    assert [use.difference for use in prompts_of([recording(first), recording(second)])] == [None]
    other = second | {"conversation": "conv_2"}
    [use] = prompts_of([recording(first), recording(other)])
    assert use.difference is not None
    assert use.difference.section == "conversation"


@pytest.mark.parametrize(
    ("change", "section", "same"),
    [
        ({"model": "other"}, "model", 0),
        ({"service_tier": "flex"}, "service_tier", 0),
        ({"reasoning": {"effort": "low"}}, "effort", 0),
        ({"text": {"verbosity": "low"}}, "verbosity", 0),
        ({"text": {"format": {"type": "json_object"}}}, "format", 0),
        ({"tools": []}, "tools", 0),
        ({"tools": [TOOL, TOOL]}, "tools", 36),
        ({"instructions": "Be rude."}, "instructions", 36 + 3),
        ({"instructions": ""}, "instructions", 36),
        ({"input": [{"text": "Öne"}]}, "conversation", 36 + 10 + 10),
        ({"input": []}, "conversation", 36 + 10),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_difference_is_found(change: dict[str, Any], section: str, same: int) -> None:
    _, use = prompts_of([recording(BODY, BODY | change)])
    assert use.difference is not None
    assert (use.difference.section, use.same_bytes) == (section, same)


def test_the_excerpts_begin_alike_and_then_differ() -> None:
    bodies = [BODY | {"instructions": "x" * 1_000 + word + "y" * 1_000} for word in ("old", "new")]
    _, use = prompts_of([recording(*bodies)])
    assert use.difference == Difference(
        "instructions",
        36 + 1_000,
        "x" * 20 + "old" + "y" * 33,
        "x" * 20 + "new" + "y" * 33,
        20,
    )


def test_bytes_are_counted_and_not_characters() -> None:
    bodies = [BODY | {"instructions": f"日本{word}"} for word in ("語", "人")]
    _, use = prompts_of([recording(*bodies)])
    assert use.same_bytes == 36 + 6


def test_a_refused_request_is_not_compared() -> None:
    refused = recording(BODY | {"instructions": "No."}, status=400)
    [use] = prompts_of([recording(BODY), refused, recording(BODY)])
    assert use.difference is None


def test_chat_completions_are_compared_as_well() -> None:
    url = "https://example.org/v1/chat/completions"
    body = {"model": "m", "messages": [{"role": "user", "content": "One"}]}
    _, use = prompts_of([recording(body, body | {"reasoning_effort": "low"}, url=url)])
    assert use.difference is not None
    assert use.difference.section == "effort"


def test_the_servers_diagnostics_are_as_they_came() -> None:
    diagnostics = {"type": "cache_miss", "reason": "tools_changed", "cache_missed_tokens": 1_200}
    [use] = prompts_of([recording(BODY, prompt_cache_diagnostics=diagnostics)])
    assert use.diagnostics == diagnostics
    [use] = prompts_of([recording(BODY, prompt_cache_diagnostics="?")])
    assert use.diagnostics == {}


def test_a_forged_recording_is_compared_as_far_as_it_goes() -> None:
    body: Any = {"tools": 5, "input": 5, "text": 5, "instructions": 5, "conversation": 5}
    assert len(prompts_of([recording(BODY, body, BODY)])) == 3
