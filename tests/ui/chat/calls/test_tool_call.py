"""The step of a call: what the function shows, its labelled arguments and result, and its running time."""

import json

from streamlit.testing.v1 import AppTest

from tests.servers.responses import ModelServer, call, calls, cut
from tests.ui.page import Open, ask, label


def test_what_a_function_shows_is_below_its_step_and_the_models_text_inside(open_page: Open) -> None:
    page = ask(open_page(), 'hotel_prices(city="Oslo")')
    answer = page.chat_message[-1]
    [step] = answer.status
    assert [each.value for each in step.caption] == ["Arguments", "Result sent to the model"]
    assert step.code[-1].value.startswith("Shown to the user: a chart")
    assert (len(step.dataframe), len(answer.dataframe)) == (0, 1)
    assert len(answer.get("vega_lite_chart")) == 1
    assert not step.get("vega_lite_chart")


def test_the_texts_of_an_example_chart_and_table_are_in_the_language_of_the_page(open_page: Open) -> None:
    page = open_page()
    page.segmented_control(key="language").set_value("ja").run()
    answer = ask(page, 'hotel_prices(city="Oslo")').chat_message[-1]
    [chart] = answer.get("vega_lite_chart")
    spec = json.loads(chart.proto.spec)
    encoding = spec["encoding"]
    assert spec["title"] == "Osloのホテル料金"
    titles = [encoding["x"]["title"], encoding["y"]["title"], encoding["color"]["title"]]
    assert titles == ["1 泊の料金（EUR）", None, "星の数"]
    tooltip = ["ホテル", "都市", "星の数", "1 泊の料金（EUR）"]
    assert [each["title"] for each in encoding["tooltip"]] == tooltip
    assert list(answer.dataframe[0].value.columns) == ["都市", "ホテル", "星の数", "1 泊の料金（EUR）"]


def test_arguments_and_result_are_labelled_and_a_table_has_its_raw_text(open_page: Open) -> None:
    page = ask(open_page(), 'find_hotels(city="Oslo")')
    [step] = page.chat_message[-1].status
    assert [each.value for each in step.caption] == ["Arguments", "Result"]
    assert len(step.dataframe) == 1
    [raw] = step.expander
    assert (raw.label, json.loads(raw.code[0].value)[0]["city"]) == ("Raw", "Oslo")


def test_a_json_result_is_indented_and_has_its_raw_text(open_page: Open) -> None:
    page = ask(open_page(), 'get_weather(city="Oslo")')
    [step] = page.chat_message[-1].status
    [raw] = step.expander
    result, exact = step.code[-2].value, raw.code[0].value
    assert raw.label == "Raw"
    assert "\n" in result
    assert "\n" not in exact
    assert json.loads(result) == json.loads(exact)


def test_unfinished_arguments_do_not_look_like_none(server: ModelServer, open_page: Open) -> None:
    server.plays(cut(calls(call("calculate", expression="1+2+3+4+5")), 5, "close"))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Add")
    assert [label(step) for step in page.status] == ["**calculate**(…) · stopped"]


def test_a_running_call_shows_its_time_in_whole_seconds() -> None:
    def script(seconds: float) -> None:
        import streamlit as st

        from assistant.events import Event, HostedCall, RoundEnded, RoundStarted, ToolCall, ToolResult
        from assistant.ui.chat.answer import AnswerPlace, answer_chunks
        from tests.ui.page import chat_of

        batches: list[list[Event]] = [
            [RoundStarted(1), HostedCall("w1", "web_search", input="Oslo")],
            [ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "add", '{"a": 2}'), RoundEnded()],
            [ToolResult("c2", "2", seconds=0.2)],
            [],
        ]
        place = AnswerPlace(chat_of([]), 0, st.empty(), running_seconds=lambda call_id: seconds)
        for chunk in answer_chunks(batches, place):
            assert not isinstance(chunk, str)
            chunk()

    def labels(seconds: float) -> list[str]:
        page = AppTest.from_function(script, args=(seconds,)).run()
        assert not page.exception
        return [label(each) for each in page.status]

    web, first, second = "**Searching the web** Oslo", "**add**(a=1)", "**add**(a=2) · 0.2 s"
    assert labels(0.9) == [web, first, second]
    assert labels(3.9) == [f"{web} · 3 s", f"{first} · 3 s", second]
    assert labels(75) == [f"{web} · 1 min 15 s", f"{first} · 1 min 15 s", second]
