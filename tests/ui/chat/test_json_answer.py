"""An answer that was requested as JSON is a tree, with a mark that says whether it fits the schema."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant.events import FormatRequested, RunCompleted
from assistant.messages import Message
from assistant.parts import Text
from assistant.request_options import RequestOptions
from assistant.storage.json_export import export_json, import_json
from assistant.ui.chat.schema_check import find_problem
from tests.servers.responses import ModelServer, text
from tests.ui.page import Open, address, ask, recording_of, session_of
from tests.variants import quick_first_row

CITY = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "size": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["name", "size"],
}


def marks(page: AppTest) -> list[str]:
    return [each.value for each in page.chat_message[-1].markdown if ":small[" in each.value]


def requested(page: AppTest, schema: Any, kind: str = "json_schema") -> AppTest:
    session_of(page).change_options(
        RequestOptions(text_format=kind, schema=json.dumps(schema) if schema else "")
    )
    return page


GOOD = ":green[:material/check_circle:] :small["
BAD = ":red[:material/error:] :small["


@pytest.mark.parametrize(
    ("answer", "mark"),
    quick_first_row(
        ('{"name": "Oslo", "size": 3}', GOOD + "Fits the schema]"),
        ('{"name": "Oslo", "size": 3, "note": null}', GOOD + "Fits the schema]"),  # strict mode's null
        (
            '{"name": "Oslo", "size": "3"}',
            BAD + "Does not fit the schema\\: size\\: '3' is not of type 'integer'",
        ),
        ("Oslo is **small**.", BAD + "This answer is not JSON, although JSON was requested\\."),
    ),
)
def test_an_answer_says_whether_it_fits_the_schema(
    server: ModelServer, open_page: Open, answer: str, mark: str
) -> None:
    server.plays(text(answer, pieces=5))
    page = ask(requested(open_page(OPENAI_BASE_URL=server.url), CITY), "Oslo?")
    for _ in range(2):  # live, and drawn again
        [shown] = marks(page)
        assert shown.startswith(mark)
        trees = [json.loads(each.value) for each in page.chat_message[-1].json]
        assert trees == ([json.loads(answer)] if answer.startswith("{") else [])
        page.run()
    assert session_of(page).history[-1].text == answer
    again = open_page({"thread": address(page)})
    assert marks(again) == marks(page)


def test_the_demo_answers_in_json_and_a_replay_looks_alike(open_page: Open) -> None:
    page = ask(requested(open_page(), CITY), "Hello")
    assert marks(page) == [GOOD + "Fits the schema]"]
    events = recording_of(page).run_events()
    assert FormatRequested(json.dumps(CITY)) in events
    session_of(page).replay(recording_of(page), speed=1e9)
    for _ in range(20):
        if marks(page.run()):
            break
    assert marks(page) == [GOOD + "Fits the schema]"]


def test_a_format_without_its_schema_is_text(server: ModelServer, open_page: Open) -> None:
    server.plays(text("Hello."))
    page = ask(requested(open_page(OPENAI_BASE_URL=server.url), None), "Hi")
    assert (marks(page), session_of(page).history[-1].format) == ([], None)


@pytest.mark.exhaustive
def test_any_json_object_is_valid_without_a_schema(server: ModelServer, open_page: Open) -> None:
    server.plays(text("[1, 2]"))
    page = ask(requested(open_page(OPENAI_BASE_URL=server.url), None, "json_object"), "List")
    assert marks(page) == [GOOD + "Valid JSON]"]


def test_a_format_is_kept_with_its_answer() -> None:
    from assistant.threads import Thread

    answer = Message("assistant", [Text("{}")], RunCompleted(), format=FormatRequested("{}"))
    again = Message("assistant")
    for event in answer.events():
        again.add(event)
    assert again == answer
    assert (
        import_json(export_json(Thread("t", [Message.from_user("Hi"), answer]), "T"))[0].messages[1] == answer
    )


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "nonsense"}, "the schema cannot be used"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "the schema cannot be used"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "the schema cannot be used"),
        ([], "the schema is not a JSON object"),
        ({"properties": {"a": {"items": {"type": "string"}}}}, "a.1: 2 is not of type 'string'"),
    ],
)
def test_a_schema_that_does_not_fit_says_why(schema: Any, problem: str) -> None:
    assert str(find_problem({"a": ["x", 2]}, schema)).startswith(problem)


def test_a_pattern_that_never_ends_is_not_tried() -> None:
    schema = {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    assert find_problem({"a": "a" * 40 + "!"}, schema) is None
