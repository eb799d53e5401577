"""The server's own tools: their events and items over a real socket, and what a thread stores of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from assistant import Assistant, SettingsError, Thread, Toolbox
from assistant.backends.client import connect
from assistant.backends.responses.backend import Responses
from assistant.codegen.script import thread_script
from assistant.errors import RequestRefused, UnknownThread
from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Citation,
    Decision,
    Event,
    HostedCall,
    HostedDelta,
    Note,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunPaused,
    RunStopped,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolResult,
    Usage,
    View,
)
from assistant.messages import Message
from assistant.parts import Call, Text
from assistant.settings import Settings
from assistant.storage.json_export import export_json, import_json
from assistant.storage.markdown_export import export_markdown
from assistant.storage.serialization import message_as_json, message_from_json
from assistant.tools.hosted import (
    HostedTool,
    available_tools,
    format_hosted_tools,
    parse_hosted_tools,
    request_fields,
)
from assistant.tools.results import denied_result
from tests.servers import hosted
from tests.servers.hosted import PICTURE, ROUGH
from tests.servers.responses import ModelServer, Play, calls, error, message, text
from tests.variants import quick_first

Ask = Callable[..., Assistant]
ENDED = RoundEnded("test-model", Usage(10, 2, 5, 1))


@pytest.fixture
def ask(server: ModelServer) -> Iterator[Ask]:
    """Create assistants that request these hosted tools."""
    with ExitStack() as clients:

        def create(named: str, url: str = "") -> Assistant:
            client = clients.enter_context(connect(Settings(api_key="sk-test", base_url=url or server.url)))
            return Assistant(
                Responses(client, model="test-model", hosted=parse_hosted_tools(named)), Toolbox()
            )

        yield create


def events_of(run: Iterator[Event]) -> list[Event]:
    """Return the events of a run without the opening of its thread."""
    return [event for event in run if not isinstance(event, ThreadOpened)]


def is_kept(thread: Thread) -> bool:
    """Return whether the thread survives storage, and its events fold to it."""
    last = thread.messages[-1]
    folded = Message("assistant")
    for event in last.events():
        folded.add(event)
    stored = json.loads(json.dumps(message_as_json(last)))
    exported, _ = import_json(export_json(thread, "A thread"))
    assert export_markdown(thread, "A thread")
    return folded == last == message_from_json(stored) and exported.messages == thread.messages


# --- which ------------------------------------------------------------------------------------------


def test_hosted_tools_are_parsed_from_a_setting() -> None:
    written = "web_search, file_search:vs_1,file_search:vs_2, mcp:wiki=https://example.com/mcp, web_search,"
    tools = parse_hosted_tools(written)
    assert tools == (
        HostedTool("web_search"),
        HostedTool("file_search", "vs_1"),
        HostedTool("file_search", "vs_2"),
        HostedTool("mcp", "https://example.com/mcp", "wiki"),
    )
    assert parse_hosted_tools(format_hosted_tools(tools)) == tools
    assert request_fields((*tools, HostedTool("code_interpreter"), HostedTool("image_generation"))) == (
        [
            {"type": "web_search"},
            {"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]},
            {
                "type": "mcp",
                "server_label": "wiki",
                "server_url": "https://example.com/mcp",
                "require_approval": "always",
            },
            {"type": "code_interpreter", "container": {"type": "auto"}},
            {"type": "image_generation", "output_format": "webp", "partial_images": 2},
        ],
        ["file_search_call.results", "code_interpreter_call.outputs"],
    )
    assert request_fields(()) == ([], [])
    assert available_tools("mcp:a=https://example.com, web_search", all_built_in=False) == (
        HostedTool("mcp", "https://example.com", "a"),
        HostedTool("web_search"),
    )
    assert [tool.kind for tool in available_tools("web_search", all_built_in=True)] == [
        "web_search",
        "code_interpreter",
        "image_generation",
        "file_search",
    ]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("websearch", "'websearch'"),
        ("file_search:a/b", "'file_search'"),
        ("mcp:wiki", "'mcp'"),
        ("mcp:wi ki=https://example.com", "'mcp'"),
        ("mcp:wiki=ftp://example.com", "'mcp'"),
        ("mcp:wiki=https://[", "'mcp'"),
        ("x" * 99, f"'{'x' * 39}…'"),
    ],
)
def test_an_unknown_tool_gives_one_sentence(written: str, shown: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_HOSTED_TOOLS": f"web_search, {written}"})
    assert str(caught.value) == (
        f"ASSISTANT_HOSTED_TOOLS is invalid. {shown} is not a hosted tool, or it is "
        "incomplete. Separate the tools with commas: web_search, code_interpreter, image_generation, "
        "file_search, file_search:VECTOR-STORE-ID, mcp:NAME=https://…"
    )


def test_a_refused_tool_is_left_out_with_a_note(server: ModelServer, ask: Ask) -> None:
    words = "Hosted tool 'code_interpreter' is not supported with test-model."
    server.plays(error(400, None, words), text("Without.", pieces=1))
    thread = Thread()
    events = events_of(ask("web_search, code_interpreter").run(thread, "Hi"))
    host = server.url.removeprefix("http://").removesuffix("/v1")
    assert events == [
        RoundStarted(1),
        Note(
            "The server rejected the tool code_interpreter. The request was sent without it. "
            f"{host} refused the request. It says: {words}"
        ),
        TextDelta("Without."),
        ENDED,
        RunCompleted(),
    ]
    assert [(each["tools"], each.get("include")) for each in server.requests] == [
        (
            [{"type": "web_search"}, {"type": "code_interpreter", "container": {"type": "auto"}}],
            ["code_interpreter_call.outputs"],
        ),
        ([{"type": "web_search"}], None),
    ]


def test_an_unreachable_remote_server_is_left_out(server: ModelServer, ask: Ask) -> None:
    words = "Error retrieving tool list from MCP server: 'wiki'. Http status code: 424 (Failed Dependency)"
    server.plays(error(424, "external_connector_error", words), text("Without.", pieces=1))
    events_of(ask("web_search, mcp:wiki=https://example.com/mcp").run(Thread(), "Hi"))
    assert server.requests[1]["tools"] == [{"type": "web_search"}]


# --- web search -------------------------------------------------------------------------------------


def test_a_web_search_is_shown_with_its_sources(server: ModelServer, ask: Ask) -> None:
    words = message("Oslo is big. Paris too.")
    sources = [
        hosted.url("Oslo", "https://example.com/oslo", 12),
        hosted.url("Paris", "https://b.example", 23),
    ]
    search = hosted.web_search("big cities", "cities")
    server.plays(calls(search, hosted.cited(words, *sources), pieces=2), text("Yes.", pieces=1))
    assistant, thread = ask("web_search"), Thread()
    events = events_of(assistant.run(thread, "Which cities are big?"))
    assert events == [
        RoundStarted(1),
        HostedCall(search["id"], "web_search"),
        HostedCall(search["id"], "web_search", "search", "big cities\ncities", state="done"),
        TextDelta("Oslo is big."),
        Citation(12, "Oslo", "https://example.com/oslo"),
        TextDelta(" Paris too."),
        Citation(23, "Paris", "https://b.example"),
        ENDED,
        RunCompleted(),
    ]
    last = thread.messages[-1]
    assert last.text == "Oslo is big. Paris too."
    assert last.parts[1:] == [Text(last.text), events[4], events[6]]
    assert list(last.events())[1:5] == events[3:7]
    assert is_kept(thread)
    events_of(assistant.run(thread, "Sure?"))
    assert server.requests[1]["input"] == [{"type": "message", "role": "user", "content": "Sure?"}]
    recalled = assistant.backend.load_thread(thread.id)  # type: ignore[attr-defined]
    assert recalled.messages[1].parts == last.parts


@pytest.mark.parametrize(
    "annotation",
    [
        {},
        {"type": "url_citation"},
        {"type": "url_citation", "url": "x" * 3_000, "title": "T", "end_index": 1},
        {"type": "file_citation", "filename": "a.txt"},
        {"type": "container_file_citation", "file_id": "cfile_1"},
        {"type": "of the future", "url": "https://example.com"},
    ],
)
def test_an_annotation_without_a_source_is_skipped(annotation: Any, server: ModelServer, ask: Ask) -> None:
    server.plays(calls(hosted.cited(message("Hello."), annotation), pieces=1))
    assert events_of(ask("").run(Thread(), "Hi"))[1:-2] == [TextDelta("Hello.")]


def test_a_citation_with_an_invalid_position_stands_at_the_end_of_its_text(
    server: ModelServer, ask: Ask
) -> None:
    wild = [{**hosted.url("A", "https://a.example", 0), "end_index": end} for end in (-5, 99, None, "3")]
    words = hosted.cited(message("Hello."), *wild)
    whole = {"type": "response.output_item.done", "output_index": 0, "item": words}
    ended = {"type": "response.completed", "response": {"status": "completed", "output": [words]}}
    server.plays(Play(events=(whole, ended)))
    events = events_of(ask("").run(Thread(), "Hi"))
    assert events[1:-2] == [TextDelta("Hello."), Citation(6, "A", "https://a.example")]


# --- pictures ---------------------------------------------------------------------------------------


def test_an_image_is_shown_as_a_preview_and_then_complete(server: ModelServer, ask: Ask) -> None:
    item = hosted.picture("A lighthouse.")
    server.plays(calls(item, message("Here."), pieces=1), text("No.", pieces=1))
    assistant, thread = ask("image_generation"), Thread()
    events = events_of(assistant.run(thread, "Draw."))
    rough, whole = View("image", "image.png", ROUGH), View("image", "image.png", PICTURE)
    begun = HostedCall(item["id"], "image_generation", input="A lighthouse.")
    assert events[1:5] == [
        begun,
        replace(begun, views=(rough,)),
        replace(begun, state="done", views=(whole,)),
        TextDelta("Here."),
    ]
    assert is_kept(thread)
    assert PICTURE not in json.dumps(thread.backend_state)  # it is in the transcript, once
    events_of(assistant.run(thread, "Another?"))
    recalled = assistant.backend.load_thread(thread.id)  # type: ignore[attr-defined]
    assert recalled.messages[1].parts == thread.messages[1].parts


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"result": "%%%"}, "The picture came damaged."),
        ({"result": None, "status": "failed", "error": {"message": "Not this.", "type": "x"}}, "Not this."),
    ],
)
def test_a_failed_image_says_why(fields: Any, output: str, server: ModelServer, ask: Ask) -> None:
    server.plays(calls({**hosted.picture("A cat."), **fields}, message("Sorry."), pieces=1))
    thread = Thread()
    events_of(ask("image_generation").run(thread, "Draw."))
    call = thread.messages[-1].parts[0]
    assert isinstance(call, HostedCall)
    assert (call.output, call.views) == (output, ())


def test_a_server_without_conversations_gets_a_description_of_an_image() -> None:
    with ModelServer(conversations=False) as server, connect(Settings(base_url=server.url)) as client:
        search = hosted.web_search("cats")
        server.plays(calls(search, hosted.picture("A cat."), message("Here."), pieces=1), text("Yes."))
        assistant = Assistant(
            Responses(client, model="m", hosted=parse_hosted_tools("image_generation")), Toolbox()
        )
        thread = Thread()
        events_of(assistant.run(thread, "Draw."))
        events_of(assistant.run(thread, "Nice."))
        sent = server.requests[1]["input"]
        assert [item["type"] for item in sent] == [
            "message",
            "web_search_call",
            "message",
            "message",
            "message",
        ]
        assert sent[1] == search
        assert sent[2] == {
            "type": "message",
            "role": "assistant",
            "content": "[A picture was made here and shown to the user. A cat.]",
        }


# --- code -------------------------------------------------------------------------------------------


def test_code_streams_and_is_followed_by_its_output(server: ModelServer, ask: Ask) -> None:
    ran = hosted.code(
        "print(1)",
        {"type": "logs", "logs": "1\n"},
        {"type": "image", "url": f"data:image/png;base64,{PICTURE}"},
        {"type": "image", "url": "https://tracker.example/x.png"},
    )
    words = hosted.cited(message("Done."), hosted.container_file("report.csv", 5))
    server.plays(calls(ran, words, pieces=2))
    thread = Thread()
    events = events_of(ask("code_interpreter").run(thread, "Compute."))
    assert events[1:] == [
        HostedCall(ran["id"], "code_interpreter"),
        HostedDelta(ran["id"], "prin"),
        HostedDelta(ran["id"], "t(1)"),
        HostedCall(
            ran["id"],
            "code_interpreter",
            "",
            "print(1)",
            "1\n",
            "done",
            (View("image", "image.png", PICTURE),),
        ),
        TextDelta("Don"),
        TextDelta("e."),
        Citation(5, "report.csv", file_id="cfile_1", container="cntr_1"),
        ENDED,
        RunCompleted(),
    ]
    assert server.requests[0]["include"] == ["code_interpreter_call.outputs"]
    assert is_kept(thread)


def test_a_server_without_conversations_gets_code_with_its_outputs_even_if_it_sent_none() -> None:
    with ModelServer(conversations=False) as server, connect(Settings(base_url=server.url)) as client:
        ran = hosted.code("1 + 1") | {"outputs": None}
        server.plays(calls(ran, message("Two."), pieces=1), text("Yes."))
        assistant = Assistant(
            Responses(client, model="m", hosted=parse_hosted_tools("code_interpreter")), Toolbox()
        )
        thread = Thread()
        events_of(assistant.run(thread, "Compute."))
        events_of(assistant.run(thread, "Sure?"))
        assert server.requests[1]["input"][1] == {**ran, "outputs": []}


# --- files ------------------------------------------------------------------------------------------


def test_a_file_search_shows_its_results(server: ModelServer, ask: Ask) -> None:
    search = hosted.file_search("rooms", **{"hotels.txt": "Ten rooms."})
    source = {"type": "file_citation", "file_id": "file_1", "filename": "hotels.txt", "index": 4}
    server.plays(calls(search, hosted.cited(message("Ten."), source), pieces=1))
    thread = Thread()
    events = events_of(ask("file_search:vs_1").run(thread, "How many rooms?"))
    assert events[2:5] == [
        HostedCall(search["id"], "file_search", "", "rooms", "hotels.txt\nTen rooms.", "done"),
        TextDelta("Ten."),
        Citation(4, "hotels.txt", file_id="file_1"),
    ]
    assert is_kept(thread)


def test_a_citation_that_comes_before_its_text_is_shown_once(server: ModelServer, ask: Ask) -> None:
    source = {"type": "file_citation", "file_id": "file_1", "filename": "hotels.txt", "index": 4}
    server.plays(calls(hosted.cited(message("Ten. And a bath."), source), pieces=8))
    thread = Thread()
    events = events_of(ask("file_search:vs_1").run(thread, "How many rooms?"))
    assert [each for each in events if isinstance(each, Citation)] == [
        Citation(2, "hotels.txt", file_id="file_1")
    ]
    assert is_kept(thread)


# --- remote servers ---------------------------------------------------------------------------------


WIKI = "mcp:wiki=https://example.com/mcp"


def paused(server: ModelServer, assistant: Assistant, *names: str) -> tuple[Thread, list[Any]]:
    """Return a thread that waits for approval of these tools, and the items that request it."""
    approvals = [hosted.mcp_approval("wiki", name, '{"about":"Oslo"}') for name in names]
    server.plays(calls(hosted.mcp_tools("wiki", *names), *approvals))
    thread = Thread()
    events = events_of(assistant.run(thread, "Look it up."))
    assert events == [
        RoundStarted(1),
        *(ToolCall(item["id"], item["name"], '{"about":"Oslo"}', "wiki") for item in approvals),
        ENDED,
        RunPaused(),
    ]
    return thread, approvals


def test_a_remote_tool_waits_for_approval_and_then_runs_at_the_server(server: ModelServer, ask: Ask) -> None:
    assistant = ask(WIKI)
    thread, [item] = paused(server, assistant, "read")
    assert is_kept(thread)
    ran = hosted.mcp("wiki", "read", '{"about":"Oslo"}', "A city.", approval_request_id=item["id"])
    server.plays(calls(ran, message("A city."), pieces=1))
    events = events_of(assistant.decide(thread, [CallApproved(item["id"])]))
    assert events == [
        CallApproved(item["id"]),
        ToolResult(item["id"], "allowed"),
        RoundStarted(2),
        HostedCall(ran["id"], "mcp", "wiki: read"),
        HostedDelta(ran["id"], '{"about":"Oslo"}'),
        HostedCall(ran["id"], "mcp", "wiki: read", '{"about":"Oslo"}', "A city.", "done"),
        TextDelta("A city."),
        ENDED,
        RunCompleted(),
    ]
    assert server.requests[1]["input"] == [
        {"type": "mcp_approval_response", "approval_request_id": item["id"], "approve": True}
    ]
    assert server.requests[1]["tools"] == server.requests[0]["tools"]
    assert is_kept(thread)
    recalled = assistant.backend.load_thread(thread.id)  # type: ignore[attr-defined]
    open_calls = [part for part in recalled.messages[1].parts if isinstance(part, Call)]
    assert open_calls == [
        Call(item["id"], "read", '{"about":"Oslo"}', 1, True, ToolResult(item["id"], "allowed"), None, "wiki")
    ]


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (CallDenied("", "Not today."), " Reason: Not today."),
        (CallDenied(""), ""),
        (CallAnswered("", "It is big."), " Reason: It is big."),
    ],
)
def test_a_denied_remote_tool_does_not_run(
    decision: Decision, reason: str, server: ModelServer, ask: Ask
) -> None:
    assistant = ask(WIKI)
    thread, [first, second] = paused(server, assistant, "read", "write")
    server.plays(text("Then not.", pieces=1))
    edited = type(decision)(
        first["id"], *([decision.reason] if isinstance(decision, CallDenied) else ["It is big."])
    )
    events = events_of(assistant.decide(thread, [edited, CallApproved(second["id"])]))
    assert denied_result(first["id"], reason.removeprefix(" Reason: ")) in events
    assert server.requests[1]["input"] == [
        {
            "type": "mcp_approval_response",
            "approval_request_id": first["id"],
            "approve": False,
            "reason": f"The user did not allow this call, so the function was not run.{reason}",
        },
        {"type": "mcp_approval_response", "approval_request_id": second["id"], "approve": True},
    ]


def test_a_new_message_without_a_decision_denies_the_call(server: ModelServer, ask: Ask) -> None:
    assistant = ask(WIKI)
    thread, [item] = paused(server, assistant, "read")
    server.plays(text("As you like.", pieces=1))
    events_of(assistant.run(thread, "Never mind."))
    assert server.requests[1]["input"] == [
        {
            "type": "mcp_approval_response",
            "approval_request_id": item["id"],
            "approve": False,
            "reason": (
                "The user sent a new message instead of deciding on this call, so the function was not run."
            ),
        },
        {"type": "message", "role": "user", "content": "Never mind."},
    ]
    assert isinstance(thread.messages[1].ending, RunStopped)


def test_the_error_of_a_remote_server_is_shown(server: ModelServer, ask: Ask) -> None:
    failed = hosted.mcp("wiki", "read", "{}", None, status="failed", error={"type": "x", "message": "Gone."})
    lost = hosted.mcp_tools("maps", error="Not reachable.")
    server.plays(calls(lost, failed, message("Hm."), pieces=1))
    events = events_of(ask(WIKI).run(Thread(), "Hi"))
    ended = [each for each in events if isinstance(each, HostedCall) and each.state != "running"]
    assert ended == [
        HostedCall(lost["id"], "mcp", "maps", "", "Not reachable.", "failed"),
        HostedCall(failed["id"], "mcp", "wiki: read", "{}", "Gone.", "failed"),
    ]


# --- elsewhere --------------------------------------------------------------------------------------


def test_another_server_gets_a_summary_without_approvals(server: ModelServer, ask: Ask) -> None:
    assistant = ask(WIKI)
    thread, [item] = paused(server, assistant, "read")
    ran = hosted.mcp("wiki", "read", '{"about":"Oslo"}', "A city.", approval_request_id=item["id"])
    server.plays(calls(hosted.web_search("Oslo"), ran, message("A city."), pieces=1))
    events_of(assistant.decide(thread, [CallApproved(item["id"])]))
    with ModelServer() as other:
        other.plays(text("Yes.", pieces=1))
        events_of(ask("", other.url).run(thread, "Sure?"))
        assert other.requests[0]["input"] == [
            {"type": "message", "role": "user", "content": "Look it up."},
            {
                "type": "message",
                "role": "assistant",
                "content": '[Here the tool wiki: read was used.\nAsked: {"about":"Oslo"}\nOutput: A city.]',
            },
            {"type": "message", "role": "assistant", "content": "A city."},
            {"type": "message", "role": "user", "content": "Sure?"},
        ]


@pytest.mark.parametrize(
    "item",
    quick_first(
        [
            {"type": "web_search_call", "id": 7, "action": "search", "status": None},
            {"type": "file_search_call", "queries": "x", "results": [None, {"text": {}}]},
            {"type": "mcp_call", "error": 5, "arguments": []},
            {"type": "web_search_call"},
            {"type": "code_interpreter_call", "code": None, "outputs": "none"},
            {"type": "code_interpreter_call", "outputs": [{"url": "data:image/png;base64,%%"}]},
            {"type": "image_generation_call", "result": 5},
            {"type": "mcp_list_tools", "error": {"message": None}},
            {"type": "mcp_approval_request"},
            {"type": "mcp_approval_request", "id": "r", "arguments": "{"},
        ],
        3,
    ),
)
def test_a_damaged_item_does_not_fail_the_run(item: Any, server: ModelServer, ask: Ask) -> None:
    delta = {"type": "response.code_interpreter_call_code.delta", "delta": 5}
    partial = {"type": "response.image_generation_call.partial_image", "partial_image_b64": None}
    added = {"type": "response.output_item.added", "item": item}
    done = {"type": "response.output_item.done", "item": item}
    ended = {"type": "response.completed", "response": {"status": "completed", "output": [item]}}
    for events in ((partial, delta, added, delta, partial, done, ended), (done, ended), (added, ended)):
        server.plays(Play(events=tuple(events)))
        thread = Thread()
        assert isinstance(events_of(ask("").run(thread, "Hi"))[-1], RunCompleted | RunPaused)
        assert is_kept(thread)


def test_a_file_of_the_code_interpreter_is_fetched_by_its_ids(server: ModelServer, ask: Ask) -> None:
    assistant, thread = ask("code_interpreter"), Thread()
    assert isinstance(assistant.backend, Responses)
    server.files["cntr_1", "cfile/1"] = server.files["cntr_1", "cfile_3"] = b"a,b"
    fetch = partial(assistant.backend.fetch_file, thread)
    named = [("cntr_1", "cfile/1"), ("cntr_1", "cfile_2"), ("..", "cfile_1")]
    kind = "container_file_citation"
    sources = [{"type": kind, "container_id": container, "file_id": file} for container, file in named]
    server.plays(calls(hosted.cited(message("Here."), *sources)))
    events_of(assistant.run(thread, "Files?"))
    assert fetch("cntr_1", "cfile/1") == b"a,b"
    with pytest.raises(RequestRefused, match="The file is gone"):
        fetch("cntr_1", "cfile_2")
    with pytest.raises(UnknownThread):
        fetch("..", "cfile_1")
    with pytest.raises(RequestRefused, match="not from a response in this chat"):
        fetch("cntr_1", "cfile_3")
    thread.branch(0)
    assert fetch("cntr_1", "cfile/1") == b"a,b", "another branch of the thread has named it"


def test_the_script_of_a_thread_contains_no_hosted_tools(server: ModelServer, ask: Ask) -> None:
    thread, _ = paused(server, ask(WIKI), "read")
    assert "'read'" not in thread_script(thread, "m")
    assert '"read"' not in thread_script(thread, "m")
