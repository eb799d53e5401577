"""The sequence diagram of a recording, in which foreign text is never read as Mermaid."""

import re
from typing import Any

from assistant.events import CallDenied, RoundStarted, RunFailed, ToolCall, ToolResult
from assistant.recordings.diagram import MAX_STEPS, as_mermaid
from assistant.recordings.entries import EndEntry, Entry
from assistant.recordings.recording import Recording
from tests.recordings.test_timeline import TWO_ROUNDS, delta, request_entries, run

HEAD = as_mermaid(Recording()).partition("participant Server")[0]


def drawn(*entries: Entry) -> str:
    return as_mermaid(Recording(entries=entries)).removeprefix(HEAD)


def test_two_rounds_with_two_calls_side_by_side() -> None:
    assert HEAD.endswith("---\nsequenceDiagram\nparticipant User\nparticipant App as Page\n")
    assert (
        drawn(*TWO_ROUNDS)
        == """\
participant Server as api.openai.com
participant Functions
User->>App: “Hello”
Note over App,Server: Round 1
App->>Server: POST /v1/responses
Server-->>App: reasons
Server-->>App: calls weather
Server-->>App: calls hotels
par weather
  App->>Functions: weather({})
  Functions-->>App: failed, 2
and hotels
  App->>Functions: hotels({})
  Functions-->>App: 1
end
Note over App,Server: Round 2
App->>Server: POST /v1/responses
Server-->>App: “It rains.”
App-->>User: the answer
"""
    )


def test_a_failure_is_drawn() -> None:
    lost = EndEntry(1.0, 1, "lost", "ReadError: gone")
    failed = run(1.0, RunFailed(code="lost", text="The connection was lost."))
    assert drawn(*request_entries(0.0), lost, failed).splitlines()[-2:] == [
        "Server--xApp: ReadError: gone",
        "App--xUser: The connection was<br/>lost.",
    ]


def test_a_decision_comes_from_the_user() -> None:
    result = run(0.2, ToolResult(call_id="c", output="No.", outcome="denied"))
    assert drawn(run(0.1, CallDenied(call_id="c", reason="")), result).splitlines()[2:] == [
        "User->>App: denied",
        "Functions-->>App: denied, No.",
    ]


HOSTILE = 'end\npar x; %% {init} <script>alert(1)</script> #35; A->>B: `x` $$y$$ & \\ \u202e \ud83d "q"'


def test_foreign_text_is_escaped() -> None:
    def hostile(item: str, name: str) -> dict[str, Any]:
        return {"call_id": item, "name": name, "arguments": HOSTILE}

    entries = [
        *request_entries(0.0, url=f"https://{HOSTILE}/v1"),
        delta(1.0, "output_text", "m", "wrap: " + HOSTILE),
        run(1.1, ToolCall(**hostile("a", HOSTILE))),
        run(1.1, ToolCall(**hostile("b", "wrap:"))),
        run(1.2, ToolResult(call_id="a", output=HOSTILE, outcome="done")),
        run(1.3, RunFailed(code="", text=HOSTILE)),
    ]
    assert_sound(as_mermaid(Recording(entries=entries)))


WHO = "(User|App|Server|Functions)"
STEP = re.compile(
    rf"(  )?({WHO}--?(>>|x){WHO}: |Note over App(,Server)?: |par |and |end$|participant (Server as )?)"
)


def assert_sound(diagram: str) -> None:
    """Assert that every line is a step of ours, and that nothing in its text is syntax."""
    for line in diagram.removeprefix(HEAD).splitlines():
        begun = STEP.match(line)
        assert begun, line
        words = re.sub(r"<br/>|#\d+;", "", line[begun.end() :])
        assert not set(words) & set("#;<>&%$\\`"), line
        assert words.isprintable()
        assert "wrap:" not in words


def test_a_long_run_is_drawn_up_to_a_limit() -> None:
    steps = [run(0.0, RoundStarted(number=number)) for number in range(MAX_STEPS + 7)]
    lines = drawn(*steps).splitlines()
    assert (len(lines), lines[-1]) == (MAX_STEPS + 2, "Note over App: and 7 more")
