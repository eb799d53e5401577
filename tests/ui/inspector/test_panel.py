"""The inspector beside the chat: its tabs and settings."""

import io
import json
import math
import zipfile
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant import Assistant
from assistant.recordings.entries import entry_as_json
from assistant.runs.replay import replay_assistant
from assistant.ui.inspector.event_table import EventSelection
from tests.servers.responses import ModelServer, call, calls, error, text
from tests.ui.page import Open, ask, label, open_inspector, recording_of, sent, session_of, shown, state_in


def panel(page: AppTest, name: str) -> AppTest:
    page.segmented_control(key="inspector_tab").set_value(name).run()
    assert not page.exception
    return page


def captions(page: AppTest) -> str:
    return "\n".join(each.value for each in page.caption)


def test_the_inspector_is_closed_until_the_user_opens_it(open_page: Open) -> None:
    page = open_page()
    assert not [each for each in page.main if each.type == "segmented_control"]
    open_inspector(page)
    assert page.segmented_control(key="inspector_tab").value == "run"
    assert "Nothing recorded yet" in captions(page)


def test_a_run_is_recorded_with_its_requests_and_events(server: ModelServer, open_page: Open) -> None:
    page = open_inspector(open_page(OPENAI_BASE_URL=server.url))
    server.plays(calls(call("calculate", expression="6*7")), text("It is 42."))
    ask(page, "6*7?")
    page.run()
    types = [each.split(" ")[1] for each in page.dataframe[0].value["type"]]
    assert types[:4] == ["RoundStarted", "request", "response", "body"]
    assert [each for each in types if each[0].isupper()] == [
        "RoundStarted",
        "ToolCall",
        "RoundEnded",
        "ToolResult",
        "RoundStarted",
        "RoundEnded",
        "RunCompleted",
    ]
    page.segmented_control(key="inspector_view").set_value("Check").run()
    assert "Protocol check passed" in page.success[0].value


@pytest.mark.exhaustive
def test_a_call_leads_to_its_events_with_one_click(server: ModelServer, open_page: Open) -> None:
    page = open_inspector(open_page(OPENAI_BASE_URL=server.url))
    server.plays(calls(call("calculate", expression="6*7")), text("It is 42."))
    ask(page, "6*7?")
    panel(page, "functions")
    next(each for each in page.button if str(each.key).endswith("-events")).click().run()
    assert not page.exception
    assert page.segmented_control(key="inspector_tab").value == "run"
    entry = recording_of(page).entries()[state_in(page, EventSelection).position or 0]
    assert "calculate" in json.dumps(entry_as_json(entry))


@pytest.mark.exhaustive
def test_each_thread_has_its_own_recordings(server: ModelServer, open_page: Open) -> None:
    page = open_inspector(open_page(OPENAI_BASE_URL=server.url))
    server.plays(text("Hello."))
    ask(page, "Hi")
    page.button(key="new_chat").click().run()
    assert "Nothing recorded yet" in captions(page)


@pytest.mark.exhaustive
def test_a_recording_is_replayed_in_its_own_thread_without_a_server(
    server: ModelServer, open_page: Open
) -> None:
    page = open_inspector(open_page(OPENAI_BASE_URL=server.url))
    server.plays(calls(call("calculate", expression="6*7")), text("It is 42."))
    ask(page, "6*7?")
    page.run()
    before, thread = shown(page), session_of(page).thread
    page.segmented_control(key="inspector_view").set_value("Recording").run()
    page.segmented_control(key="inspector_speed").set_value("instant").run()
    page.button(key="inspector_replay").click().run()
    page.run()
    assert [each for each in shown(page) if each[0] == "user"] == [("user", [("text", "6*7?")])]
    assert [kind for _, kinds in shown(page) for kind in kinds][-1] == ("markdown", "It is 42.")
    assert len(shown(page)) == len(before)
    assert session_of(page).thread.id != thread.id
    assert session_of(page).thread.backend_state == {}
    assert len(server.requests) == 2


def test_a_sample_recording_is_replayed_with_one_click(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(*arguments: Any, **options: Any) -> Assistant:
        return replay_assistant(*arguments, **options | {"speed": math.inf})

    monkeypatch.setattr("assistant.session.replays.replay_assistant", at_once)
    page = open_page()
    page.button(key="example_recording_a_function_that_fails").click().run(timeout=60)
    page.run()
    assert page.toggle(key="inspector").value
    assert label(page.status[0]).startswith('**calculate**(expression="1/0") · failed')


@pytest.mark.exhaustive
def test_a_replay_is_marked_at_the_message_and_in_the_inspector(server: ModelServer, open_page: Open) -> None:
    page = open_inspector(open_page(OPENAI_BASE_URL=server.url))
    server.plays(text("Hello."))
    ask(page, "Hi")
    page.run()
    assert "not live" not in sent(page)
    page.segmented_control(key="inspector_view").set_value("Recording").run()
    page.segmented_control(key="inspector_speed").set_value("instant").run()
    page.button(key="inspector_replay").click().run()
    page.run()
    [answer] = [each for each in page.chat_message if each.name == "assistant"]
    assert answer.caption[0].value == "Recording · not live"
    assert any("Recording · not live" in each.value for each in page.markdown)


@pytest.mark.exhaustive
@pytest.mark.parametrize("unreachable", [False, True])
def test_a_run_whose_first_request_fails_is_recorded(
    server: ModelServer, open_page: Open, unreachable: bool
) -> None:
    page = open_page(OPENAI_BASE_URL="http://127.0.0.1:9/v1" if unreachable else server.url)
    if not unreachable:
        server.plays(*[error(500, None)] * 3)
    ask(page, "Hi")
    open_inspector(page)
    assert "Nothing recorded yet" not in captions(page)
    types = [each.split(" ")[1] for each in page.dataframe[0].value["type"]]
    assert (types[0], types[1], types[-1]) == ("RoundStarted", "request", "RunFailed")


@pytest.mark.exhaustive
@pytest.mark.usefixtures("local_visitor")
def test_a_fault_is_announced_and_applies_to_this_session_only(server: ModelServer, open_page: Open) -> None:
    page, other = open_inspector(open_page(OPENAI_BASE_URL=server.url)), open_page()
    panel(page, "faults")
    page.text_input(key="faults").set_value("cut:5").run()
    assert "Expected:" in captions(page)
    assert [each.value for each in page.warning] == ["Active fault: cut\\:5"]
    server.plays(text("One two three four"), text("One two three four"))
    ask(page, "Hi")
    page.run()
    assert "lost in the middle" in " ".join(each.value for each in page.error)
    panel(page, "faults").button(key="clear_faults").click().run()
    assert not page.warning
    ask(other, "Hi")
    other.run()
    assert ("markdown", "One two three four") in shown(other)[-1][1]


@pytest.mark.usefixtures("local_visitor")
def test_the_kinds_of_the_active_faults_are_selected(open_page: Open) -> None:
    page = panel(open_inspector(open_page()), "faults")
    page.text_input(key="faults").set_value("cut:7, function.raise:calculate").run()
    stream, functions = page.pills(key="fault_stream"), page.pills(key="fault_functions")
    assert (stream.value, functions.value) == (["cut"], ["function.raise"])
    page.pills(key="fault_stream").select("slow").run()
    assert page.text_input(key="faults").value == "cut:7, function.raise:calculate, slow"
    assert page.pills(key="fault_stream").value == ["cut", "slow"]
    page.pills(key="fault_stream").unselect("cut").run()
    assert page.text_input(key="faults").value == "function.raise:calculate, slow"
    assert page.warning[0].value == "Active fault: function\\.raise\\:calculate, slow"


def test_only_local_users_can_inject_faults_and_see_the_code(open_page: Open) -> None:
    page = open_inspector(open_page())
    assert page.segmented_control(key="inspector_tab").options == ["Run log", "Request", "Functions"]


@pytest.mark.usefixtures("local_visitor")
def test_an_unknown_fault_is_reported_and_not_injected(open_page: Open) -> None:
    page = panel(open_inspector(open_page()), "faults")
    page.text_input(key="faults").set_value("explode").run()
    assert page.error[0].value.startswith("There is no fault")
    page.text_input(key="faults").set_value("function.raise:nobody").run()
    assert page.error[0].value.startswith("There is no function")
    assert not page.warning


@pytest.mark.exhaustive
def test_every_call_can_wait_for_the_user_who_provides_its_result(
    server: ModelServer, open_page: Open
) -> None:
    page = panel(open_inspector(open_page(OPENAI_BASE_URL=server.url)), "functions")
    page.toggle(key="approve_all").set_value(True).run()
    panel(page, "run")
    server.plays(calls(call("not_written_yet", city="Oslo")), text("Sunny, then."))
    ask(page, "Weather?")
    page.run()
    waiting = next(each for each in page.expander if "approval" in each.label)
    assert label(waiting) == '**not_written_yet**(city="Oslo") · needs approval'
    output = next(each for each in page.text_area if str(each.key).endswith("output"))
    output.set_value('{"weather": "sunny"}').run()
    next(each for each in page.button if str(each.key).endswith("answer")).click().run()
    page.run()
    assert not page.exception
    assert [kind for _, kinds in shown(page) for kind in kinds][-1] == ("markdown", "Sunny, then.")
    sent_items: list[Any] = server.requests[-1]["input"]
    assert sent_items[-1]["output"] == '{"weather": "sunny"}'


@pytest.mark.exhaustive
@pytest.mark.usefixtures("local_visitor")
def test_the_last_message_is_shown_as_code(server: ModelServer, open_page: Open) -> None:
    page = open_inspector(open_page(OPENAI_BASE_URL=server.url))
    assert "Send a message to see it" in captions(panel(page, "code"))
    server.plays(calls(call("calculate", expression="6*7")), text("It is 42."))
    ask(page, "6*7?")
    page.run()
    script, request = [each.value for each in page.code if "\n" in each.value][-2:]
    compile(script, "script", "exec")
    assert "def calculate(" in script
    assert request.startswith("curl ")


@pytest.mark.exhaustive
@pytest.mark.usefixtures("local_visitor")
def test_a_function_that_the_script_has_only_a_stub_of_is_named(server: ModelServer, open_page: Open) -> None:
    page = open_inspector(open_page(OPENAI_BASE_URL=server.url))
    panel(page, "code")
    server.plays(calls(call("find_hotels", city="Oslo")), text("None."))
    ask(page, "Hotels?")
    page.run()
    assert page.warning[0].value.startswith("find\\_hotels is only a stub here")
    server.plays(calls(call("calculate", expression="6*7")), text("It is 42."))
    ask(page, "6*7?")
    page.run()
    assert not page.warning


def test_a_function_runs_without_a_model(open_page: Open) -> None:
    page = panel(open_inspector(open_page()), "functions")
    page.selectbox(key="runner_function").set_value("calculate").run()
    page.text_input(key="runner_calculate_expression").set_value("6*7").run()
    page.button(key="runner_run").click().run()
    assert not page.exception
    assert "42" in [each.value for each in page.code]


def test_a_test_saved_from_a_recording_holds_both(server: ModelServer, open_page: Open) -> None:
    from assistant.codegen.pytest_file import pytest_zip

    page = open_inspector(open_page(OPENAI_BASE_URL=server.url))
    server.plays(text("Hello."))
    ask(page, "Hi")
    names = zipfile.ZipFile(io.BytesIO(pytest_zip(recording_of(page)))).namelist()
    assert sorted(name.rpartition(".")[2] for name in names) == ["jsonl", "py"]
