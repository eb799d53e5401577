"""Threads are exported as JSON, and only complete threads are imported."""

import ast
import json
import re
from typing import Any

import pytest

from assistant import Thread
from assistant.codegen.script import thread_script
from assistant.errors import ThreadImportError
from assistant.events import RunCompleted, RunFailed, RunPaused, RunStopped, ToolResult
from assistant.messages import Message
from assistant.parts import Call, Reasoning, Refusal, Remark, Text
from assistant.request_options import RequestOptions
from assistant.storage.json_export import MAX_IMPORT_CHARS, export_json, import_json
from assistant.storage.markdown_export import export_markdown
from tests.conftest import Connect
from tests.servers.responses import ModelServer, text
from tests.storage.threads import HOSTILE, THREAD, add_call, answer


def test_a_thread_is_exported_as_documented_ascii() -> None:
    thread = Thread("conv_1", [Message.from_user("é")], {"responses": {"items": [float("nan")]}})
    assert export_json(thread, "T \ud800") == (
        "{\n"
        '"format": "assistant-thread",\n'
        '"version": 1,\n'
        '"title": "T \\ud800",\n'
        '"messages": [\n'
        '{"role": "user", "parts": [{"type": "Text", "text": "\\u00e9"}], '
        '"ending": {"type": "RunCompleted"}}\n'
        "],\n"
        '"backend_state": {"responses": {"items": [null]}}\n'
        "}\n"
    )


def test_an_exported_thread_is_imported_as_a_new_one() -> None:
    written = export_json(THREAD, "Kyoto")
    assert written.isascii()
    assert json.loads(written)["backend_state"] == THREAD.backend_state
    thread, title = import_json("\ufeff" + written)
    assert (thread.id, thread.messages, thread.backend_state, title) == ("", THREAD.messages, {}, "Kyoto")
    assert import_json(export_json(Thread(), ""))[0].messages == []


def test_what_a_chat_changes_of_its_requests_is_exported_and_imported() -> None:
    options = RequestOptions(model="m", functions=("add",), parallel_calls=False, instructions="")
    written = export_json(Thread(messages=THREAD.messages, options=options), "")
    assert json.loads(written)["options"] == {
        "model": "m",
        "functions": ["add"],
        "parallel_calls": False,
        "instructions": "",
    }
    assert import_json(written)[0].options == options
    assert "options" not in json.loads(export_json(THREAD, ""))


@pytest.mark.parametrize(
    "options",
    [
        {"verbosity": "loud"},
        {"verbosity": 1},
        {"unknown": 1},
        {"max_output_tokens": -1},
        {"schema": "{"},
        {"instructions": "x" * 1_000_000},
        {"functions": "add"},
        [1],
        "low",
    ],
    ids=["value", "type", "field", "number", "schema", "1 MB", "functions", "list", "text"],
)
def test_a_chat_whose_request_cannot_be_sent_is_not_imported(options: Any) -> None:
    written = json.dumps({**json.loads(export_json(THREAD, "")), "options": options})
    with pytest.raises(ThreadImportError, match="the parameters of its requests cannot be read"):
        import_json(written)


def test_hostile_and_huge_texts_are_imported_unchanged() -> None:
    messages = [
        Message("user", [Text(HOSTILE)], RunCompleted()),
        answer(
            Text(HOSTILE * 20_000),
            add_call("c1", HOSTILE, detail=HOSTILE),
            ending=RunFailed(HOSTILE, HOSTILE),
        ),
    ]
    assert import_json(export_json(Thread(messages=messages), HOSTILE))[0].messages == messages


def test_backend_state_nested_too_deeply_is_left_out() -> None:
    nested: list[Any] = []
    for _ in range(2_000):
        nested = [nested]
    written = export_json(Thread("conv_1", [Message.from_user("Hi")], {"x": nested}), "T")
    assert sorted(json.loads(written)) == ["format", "messages", "title", "version"]
    assert import_json(written)[0].messages == [Message.from_user("Hi")]


@pytest.mark.exhaustive
def test_any_message_is_imported_unchanged() -> None:
    hypothesis = pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
    from hypothesis import strategies as st

    texts = st.text(st.characters(), max_size=20) | st.just(HOSTILE)
    seconds = st.none() | st.floats(0, 1e9)
    outcomes = st.sampled_from(["done", "failed", "timeout", "invalid", "unknown", "stopped"])

    def result(written: Call) -> st.SearchStrategy[Call]:
        results = st.builds(ToolResult, st.just(written.call_id), texts, outcomes, texts, seconds)
        optional = st.none() | results if written.complete else st.none()
        return optional.map(
            lambda result: Call(
                written.call_id, written.name, written.arguments, written.round, written.complete, result
            )
        )

    calls_with_results = st.builds(Call, texts, texts, texts, st.integers(0), st.booleans()).flatmap(result)
    parts = st.lists(
        st.one_of(
            *(st.builds(each, texts) for each in (Text, Refusal, Reasoning, Remark)), calls_with_results
        )
    )
    reasons = st.sampled_from(["user", "max_output_tokens", "content_filter", "max_rounds", "unknown"])
    endings = st.one_of(
        st.just(RunCompleted()),
        st.just(RunPaused()),
        st.builds(RunStopped, reasons, texts),
        st.builds(RunFailed, texts, texts, st.booleans(), seconds),
    )
    messages = st.builds(Message, st.just("user"), parts, endings) | st.builds(
        Message, st.just("assistant"), parts, st.none() | endings
    )

    def check_round_trip(exported: list[Message], title: str) -> None:
        thread, same = import_json(export_json(Thread("conv_1", exported, {"a": 1}), title))
        assert (thread.id, thread.messages, thread.backend_state, same) == ("", exported, {}, title)
        export_markdown(thread, title).encode()
        ast.parse(thread_script(thread, title))

    check = hypothesis.given(st.lists(messages, max_size=4), texts)(check_round_trip)
    hypothesis.settings(max_examples=60, deadline=None, database=None, derandomize=True)(check)()


def exported(**changes: Any) -> str:
    whole = {"format": "assistant-thread", "version": 1, "title": "T", "messages": []}
    return json.dumps(whole | changes)


def with_message(**changes: Any) -> str:
    return exported(
        messages=[
            {"role": "user", "parts": [], "ending": {"type": "RunCompleted"}},
            {"role": "assistant", "parts": [], "ending": None} | changes,
        ]
    )


DAMAGED = "This chat is damaged: its message 2 cannot be read."
MISSING = "This chat is damaged: its version or its title is missing."
FOREIGN = "This file is not a chat that was exported from this application."
DEEP = "This file is nested too deeply to be a chat."
CALL = {"type": "Call", "call_id": "c1", "name": "add", "arguments": "{}", "round": 1}
FAILED = {"type": "RunFailed", "code": "x", "text": "y"}
OTHERS = {"call_id": "c2", "output": ""}


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("", "This file is not JSON."),
        ("{", "This file is not JSON."),
        ("9" * 5_000, "This file is not JSON."),
        ("# A thread", "This file is not JSON."),
        ("[]", FOREIGN),
        ("null", FOREIGN),
        ('{"messages": []}', FOREIGN),
        (exported(format="other"), FOREIGN),
        (exported(format=["assistant-thread"]), FOREIGN),
        (exported(version=2), "This chat was exported by a later version of this application."),
        (exported(version="1"), MISSING),
        (exported(version=0), MISSING),
        (exported(version=True), MISSING),
        (exported(title=None), MISSING),
        (exported(messages={}), "This chat is damaged: its messages are missing."),
        (exported(messages=[None]), DAMAGED.replace("2", "1")),
        (with_message(type="Text"), DAMAGED),
        (with_message(type=["Message"]), DAMAGED),
        (with_message(type="Later"), DAMAGED),
        (with_message(role="system"), DAMAGED),
        (with_message(role=["user"]), DAMAGED),
        (with_message(role="user"), DAMAGED),
        (with_message(parts="text"), DAMAGED),
        (with_message(parts=["text"]), DAMAGED),
        (with_message(parts=[{"type": "Text", "text": 1}]), DAMAGED),
        (with_message(parts=[{"type": "Text"}]), DAMAGED),
        (with_message(parts=[{"type": "Message", "role": "user"}]), DAMAGED),
        (with_message(parts=[CALL | {"round": "1"}]), DAMAGED),
        (with_message(parts=[CALL | {"round": True}]), DAMAGED),
        (with_message(parts=[CALL | {"more": 1}]), DAMAGED),
        (with_message(parts=[CALL | {"result": "3"}]), DAMAGED),
        (with_message(parts=[CALL | {"result": OTHERS}]), DAMAGED),
        (with_message(ending="done"), DAMAGED),
        (with_message(ending={"type": "RunStopped", "reason": "boredom", "text": ""}), DAMAGED),
        (with_message(ending=FAILED | {"retry_after": float("inf")}), DAMAGED),
        (with_message(ending=FAILED | {"retry_after": float("nan")}), DAMAGED),
        (with_message(ending=FAILED | {"retry_after": 10**400}), DAMAGED),
        (with_message(ending=FAILED | {"retry_after": 1e18}), DAMAGED),
        (with_message(ending=FAILED | {"retry_after": 10**20}), DAMAGED),
        (with_message(ending=FAILED | {"text": {"template": "{x.__class__}", "params": {"x": 1}}}), DAMAGED),
        (with_message(_round="x"), DAMAGED),
        ("[" * 100_000, DEEP),
        (with_message().replace("[]", "[" * 600 + "]" * 600), DEEP),
        (with_message().replace("[]", "[" * 90 + "]" * 90), DAMAGED.replace("2", "1")),
        (" " * (MAX_IMPORT_CHARS + 1), "This file is too large. A chat to import may have up to 50 MB."),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_any_other_file_is_refused_with_one_sentence(written: str, sentence: str) -> None:
    with pytest.raises(ThreadImportError, match=f"^{re.escape(sentence)}$"):
        import_json(written)


def as_sent(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item of a conversation as it was sent."""
    sent = {key: value for key, value in item.items() if key not in ("id", "status")}
    return sent | {"content": item["content"][0]["text"]} if "content" in item else sent


@pytest.mark.parametrize("conversations", [True, False], ids=["conversations", "stateless"])
def test_an_imported_thread_continues_in_a_new_conversation_with_its_whole_history(
    conversations: bool, connect_to: Connect
) -> None:
    thread, _ = import_json(export_json(THREAD, "T"))
    with ModelServer(conversations=conversations) as server:
        server.plays(text("Fine."), text("Yes."))
        assistant = connect_to(server.url)
        events = list(assistant.run(thread, "And now?"))
        assert events[-1] == RunCompleted()
        assert thread.id
        assert thread.id != "conv_1"
        arguments = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
        open_call = {"type": "function_call", "call_id": "c3", "name": "add", "arguments": "{}"}
        open_output = '{"error": "The answer was stopped or interrupted before this function returned."}'
        history = [
            {"type": "message", "role": "user", "content": "京都 *2*?"},
            {"type": "message", "role": "assistant", "content": "Let me see."},
            {"type": "function_call", "call_id": "c1", **arguments},
            {"type": "function_call_output", "call_id": "c1", "output": "3"},
            {"type": "function_call", "call_id": "c2", **arguments},
            {"type": "function_call_output", "call_id": "c2", "output": '{"error": "No."}'},
            open_call,
            {"type": "function_call_output", "call_id": "c3", "output": open_output},
            {"type": "message", "role": "assistant", "content": "I will not."},
            {"type": "message", "role": "assistant", "content": "Three."},
            {"type": "message", "role": "assistant", "content": "going on"},
            {"type": "message", "role": "user", "content": "And now?"},
        ]
        if conversations:
            assert [
                as_sent(item) for item in server.conversations[thread.id].items[: len(history)]
            ] == history
            assert server.requests[0]["input"] == history[-1:]
        else:
            assert server.requests[0]["input"] == history
        assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
        question = {"type": "message", "role": "user", "content": "Sure?"}
        if conversations:
            assert server.requests[1]["input"] == [question]
        else:
            assert server.requests[1]["input"][: len(history)] == history
            assert server.requests[1]["input"][-1] == question
        assert server.refused == []
