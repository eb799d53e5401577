"""Threads taken away and brought back: nothing breaks out, and what comes back is whole or refused."""

import ast
import json
import re
from typing import Any

import pytest

from assistant import Thread
from assistant.codegen.script import thread_script
from assistant.events import Ending, RunCompleted, RunFailed, RunPaused, RunStopped, ToolResult
from assistant.messages import Call, Message, Part, Reasoning, Refusal, Remark, Text
from assistant.storage.export import MOST_CHARACTERS, as_json, as_markdown, from_json
from tests.conftest import Connect
from tests.servers.responses import ModelServer, text

HOSTILE = (
    "```\n````json\n~~~\n</code></pre><script>alert(1)</script>\n<!-- "
    "'''\"\"\"{} {0} \\ \x00 \x1b[2J \ud800\r\n\u202e"
)


def said(*parts: Part, ending: Ending | None = None) -> Message:
    return Message("assistant", list(parts), ending or RunCompleted())


def added(call_id: str, output: str, **more: Any) -> Call:
    return Call(call_id, "add", '{"a": 1, "b": 2}', 1, result=ToolResult(call_id, output, **more))


THREAD = Thread(
    "conv_1",
    [
        Message.from_user("京都 *2*?"),
        said(
            Reasoning("Hm.\nSo."),
            Text("Let me see."),
            added("c1", "3", seconds=1.5),
            added("c2", '{"error": "No."}', outcome="failed", detail="ValueError: no", seconds=0.25),
            Call("c3", "add", "", 1),
            Call("c4", "add", '{"a"', 2, asked=False),
            Remark("Written anew."),
            Refusal("I will not."),
            Text("Three."),
        ),
        said(ending=RunStopped("user", "Stopped.")),
        said(ending=RunPaused()),
        said(ending=RunFailed("rate_limit", "Wait.", True, 3.5)),
        Message("assistant", [Text("going on")]),
    ],
    {"responses": {"items": [{"id": "\ud800"}]}},
)

MARKDOWN = """\
# Kyoto \\*and\\* more

## Person

京都 *2*?

## Assistant

> **Reasoning:** Hm.
> So.

Let me see.

**Call** `add` (done, 1.50 s)

```json
{"a": 1, "b": 2}
```

**Output** of `add`

```json
3
```

**Call** `add` (failed, 0.25 s)

```json
{"a": 1, "b": 2}
```

**Output** of `add`

```json
{"error": "No."}
```

**Detail**, which the model was not given

```text
ValueError: no
```

**Call** `add` (no result)

```text

```

**Call** `add` (never run: the answer ended while it was being written)

```text
{"a"
```

> **Note:** Written anew.

> **Refused:** I will not.

Three.

## Assistant

> **Ended early:** Stopped.

## Assistant

> **Paused:** it waits for a decision.

## Assistant

> **Failed** (`rate_limit`): Wait.

## Assistant

going on

> **Not ended:** the answer was still being written.
"""


# --- Markdown ---------------------------------------------------------------------------------------


def test_a_thread_as_markdown_reads_like_this() -> None:
    assert as_markdown(THREAD, "Kyoto *and*\nmore") == MARKDOWN


def test_nothing_breaks_out_of_its_fence() -> None:
    output = f"{HOSTILE}\n{'`' * 50}\nloose"
    written = as_markdown(Thread(messages=[said(added("c1", output), Text("After."))]), HOSTILE)
    fence = "`" * 51
    assert re.findall("^`{51}.*$", written, re.MULTILINE) == [f"{fence}text", fence]
    shown = output.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ud800", "\ufffd")
    assert f"{fence}text\n{shown}\n{fence}\n\nAfter.\n" in written
    assert written.encode().decode() == written


@pytest.mark.parametrize(
    "closed",
    [
        "Plain `code` and ``` more ``` <b>bold</b>.",
        "```py\nprint()\n```\n\nDone.",
        "~~~\n```\n~~~~",
        "````\n```\n<!--\n````",
        "- one\n- two\n\n> three",
        "```\r\ncode\r\n```",
    ],
)
def test_a_text_that_ends_with_itself_stands_as_it_is(closed: str) -> None:
    written = as_markdown(Thread(messages=[said(Text(closed))]), "")
    assert written == f"# \n\n## Assistant\n\n{closed}\n"


@pytest.mark.parametrize(
    "opened",
    [
        "```py\nprint()",
        "````\n```",
        "~~~\n```",
        "```\n    ```",
        "```\n``` x",
        "a\n <!-- b",
        "<pre>",
        "- ```\n  code\n```",
        "1. one\n   ```\n   two\n   ```",
        "``` `\n\n```\n```",
    ],
)
def test_a_text_that_might_leave_something_open_is_quoted(opened: str) -> None:
    written = as_markdown(Thread(messages=[said(Text(opened))]), "")
    quoted = "\n".join(f"> {line}" if line else ">" for line in opened.split("\n"))
    assert written == f"# \n\n## Assistant\n\n{quoted}\n"


def test_a_function_has_any_name_on_one_line() -> None:
    names = ["``a`", "", "a\n\n# b", "<b>"]
    parts: list[Part] = [Call(f"c{number}", name, "{}", 1) for number, name in enumerate(names)]
    written = as_markdown(Thread(messages=[said(*parts)]), "")
    assert re.findall(r"^\*\*Call\*\* (.*) \(no result\)$", written, re.MULTILINE) == [
        "``` ``a` ```",
        "`  `",
        "`a # b`",
        "`<b>`",
    ]


# --- JSON -------------------------------------------------------------------------------------------


def test_a_thread_as_json_is_documented_and_plain() -> None:
    thread = Thread("conv_1", [Message.from_user("é")], {"responses": {"items": [float("nan")]}})
    assert as_json(thread, "T \ud800") == (
        "{\n"
        '"format": "assistant-thread",\n'
        '"version": 1,\n'
        '"title": "T \\ud800",\n'
        '"messages": [\n'
        '{"type": "Message", "role": "user", "parts": [{"type": "Text", "text": "\\u00e9"}], '
        '"ending": {"type": "RunCompleted"}}\n'
        "],\n"
        '"backend_state": {"responses": {"items": [null]}}\n'
        "}\n"
    )


def test_a_thread_comes_back_from_json_as_a_new_one() -> None:
    written = as_json(THREAD, "Kyoto")
    assert written.isascii()
    assert json.loads(written)["backend_state"] == THREAD.backend_state
    thread, title = from_json("\ufeff" + written)
    assert (thread.id, thread.messages, thread.backend_state, title) == ("", THREAD.messages, {}, "Kyoto")
    assert from_json(as_json(Thread(), ""))[0].messages == []


def test_what_is_hostile_or_huge_comes_back_equal() -> None:
    messages = [
        Message("user", [Text(HOSTILE)], RunCompleted()),
        said(
            Text(HOSTILE * 20_000), added("c1", HOSTILE, detail=HOSTILE), ending=RunFailed(HOSTILE, HOSTILE)
        ),
    ]
    assert from_json(as_json(Thread(messages=messages), HOSTILE))[0].messages == messages


def test_raw_that_is_nested_too_deeply_is_left_out() -> None:
    nested: list[Any] = []
    for _ in range(2_000):
        nested = [nested]
    written = as_json(Thread("conv_1", [Message.from_user("Hi")], {"x": nested}), "T")
    assert sorted(json.loads(written)) == ["format", "messages", "title", "version"]
    assert from_json(written)[0].messages == [Message.from_user("Hi")]


@pytest.mark.exhaustive
def test_every_message_comes_back_equal_from_an_export() -> None:
    hypothesis = pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
    from hypothesis import strategies as st

    texts = st.text(st.characters(), max_size=20) | st.just(HOSTILE)
    seconds = st.none() | st.floats(0, 1e9)
    outcomes = st.sampled_from(["done", "failed", "timeout", "invalid", "unknown", "stopped"])

    def result(written: Call) -> st.SearchStrategy[Call]:
        results = st.builds(ToolResult, st.just(written.call_id), texts, outcomes, texts, seconds)
        given = st.none() | results if written.asked else st.none()
        return given.map(
            lambda result: Call(
                written.call_id, written.name, written.arguments, written.round, written.asked, result
            )
        )

    made = st.builds(Call, texts, texts, texts, st.integers(0), st.booleans()).flatmap(result)
    parts = st.lists(
        st.one_of(*(st.builds(each, texts) for each in (Text, Refusal, Reasoning, Remark)), made)
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

    def comes_back(given: list[Message], title: str) -> None:
        thread, same = from_json(as_json(Thread("conv_1", given, {"a": 1}), title))
        assert (thread.id, thread.messages, thread.backend_state, same) == ("", given, {}, title)
        as_markdown(thread, title).encode()
        ast.parse(thread_script(thread, title))

    check = hypothesis.given(st.lists(messages, max_size=4), texts)(comes_back)
    hypothesis.settings(max_examples=60, deadline=None, database=None, derandomize=True)(check)()


def exported(**changes: Any) -> str:
    whole = {"format": "assistant-thread", "version": 1, "title": "T", "messages": []}
    return json.dumps(whole | changes)


def with_message(**changes: Any) -> str:
    return exported(
        messages=[
            {"type": "Message", "role": "user", "parts": [], "ending": {"type": "RunCompleted"}},
            {"type": "Message", "role": "assistant", "parts": [], "ending": None} | changes,
        ]
    )


DAMAGED = "This thread is damaged: its message 2 cannot be read."
MISSING = "This thread is damaged: its version or its title is missing."
FOREIGN = "This file is not a thread that was exported from this application."
DEEP = "This file is nested too deeply to be a thread."
CALL = {"type": "Call", "call_id": "c1", "name": "add", "arguments": "{}", "round": 1}
FAILED = {"type": "RunFailed", "code": "x", "text": "y"}
OTHERS = {"type": "ToolResult", "call_id": "c2", "output": ""}


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
        (exported(version=2), "This thread was exported by a later version of this application."),
        (exported(version="1"), MISSING),
        (exported(version=0), MISSING),
        (exported(version=True), MISSING),
        (exported(title=None), MISSING),
        (exported(messages={}), "This thread is damaged: its messages are missing."),
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
        (with_message(_round="x"), DAMAGED),
        ("[" * 100_000, DEEP),
        (with_message().replace("[]", "[" * 600 + "]" * 600), DEEP),
        (" " * (MOST_CHARACTERS + 1), "This file is too large: a thread to be imported may have 50 MB."),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_cannot_be_imported_is_refused_in_one_sentence(written: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        from_json(written)


@pytest.mark.parametrize("conversations", [True, False], ids=["conversations", "stateless"])
def test_an_imported_thread_goes_on_in_a_new_conversation_that_is_told_everything(
    conversations: bool, connect_to: Connect
) -> None:
    thread, _ = from_json(as_json(THREAD, "T"))
    with ModelServer(conversations=conversations) as server:
        server.plays(text("Fine."), text("Yes."))
        assistant = connect_to(server.url)
        events = list(assistant.run(thread, "And now?"))
        assert events[-1] == RunCompleted()
        assert thread.id
        assert thread.id != "conv_1"
        given = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
        open_call = {"type": "function_call", "call_id": "c3", "name": "add", "arguments": "{}"}
        open_output = '{"error": "The answer was stopped or interrupted before this function returned."}'
        told = [
            {"type": "message", "role": "user", "content": "京都 *2*?"},
            {"type": "message", "role": "assistant", "content": "Let me see."},
            {"type": "function_call", "call_id": "c1", **given},
            {"type": "function_call_output", "call_id": "c1", "output": "3"},
            {"type": "function_call", "call_id": "c2", **given},
            {"type": "function_call_output", "call_id": "c2", "output": '{"error": "No."}'},
            open_call,
            {"type": "function_call_output", "call_id": "c3", "output": open_output},
            {"type": "message", "role": "assistant", "content": "I will not."},
            {"type": "message", "role": "assistant", "content": "Three."},
            {"type": "message", "role": "assistant", "content": "going on"},
            {"type": "message", "role": "user", "content": "And now?"},
        ]
        assert server.asked[0]["input"] == told
        assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
        question = {"type": "message", "role": "user", "content": "Sure?"}
        if conversations:
            assert server.asked[1]["input"] == [question]
        else:
            assert server.asked[1]["input"][: len(told)] == told
            assert server.asked[1]["input"][-1] == question
        assert server.refused == []
