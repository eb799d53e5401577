"""Sentences: English text that can be translated, copied and stored."""

import copy
import pickle
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from assistant.errors import BackendError, RequestRefused
from assistant.events import Note
from assistant.locale import N_, N_plural, Sentence, UserText, translate
from assistant.locale.sentences import MAX_NESTING, MAX_SENTENCE_CHARS

BUSY = N_("{host} failed. Try again in a moment. It says: {message}", host="localhost", message="no {0}")
NESTED = N_("{status}: {progress}", status=N_("Running {function}", function="f"), progress=N_("seconds"))
ADAPTER: TypeAdapter[str] = TypeAdapter(UserText)


def test_a_sentence_is_its_english_text() -> None:
    assert BUSY == "localhost failed. Try again in a moment. It says: no {0}"
    assert NESTED == "Running f: seconds"
    assert N_("{missing} is not filled in.") == "{missing} is not filled in."


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "about 0 tokens"), (1, "about 1 token"), (2, "about 2 tokens")]
)
def test_the_plural_is_used_unless_the_count_is_one(count: int, expected: str) -> None:
    sentence = N_plural("about {count} token", "about {count} tokens", count)
    assert sentence == expected
    assert translate(sentence, "ja") == f"約 {count} トークン"


def test_a_sentence_is_translated_with_its_parameters() -> None:
    assert translate(BUSY, "ja") == (
        "localhost でエラーが起きました。少し待って、もう一度お試しください。サーバーの応答：no {0}"
    )
    assert translate(NESTED, "ja") == "f を実行しています：秒"
    assert translate(BUSY, "en") == str(BUSY)


def test_text_without_a_translation_stays_as_it_is() -> None:
    texts = [
        "",
        "{x} is not in the catalogue.",
        "Not in the catalogue.",
        N_("Not in the {place}.", place="catalogue"),
    ]
    assert [translate(text, "ja") for text in texts] == texts
    assert translate("Stop", "ja") == "停止"


def test_parameters_can_be_replaced() -> None:
    assert BUSY.with_params(host="example.org") == (
        "example.org failed. Try again in a moment. It says: no {0}"
    )


def same(sentence: str) -> tuple[Any, ...]:
    assert isinstance(sentence, Sentence)
    return str(sentence), sentence.template, sentence.plural, sentence.params


def test_an_error_keeps_its_sentence() -> None:
    error = RequestRefused(BUSY, code="x")
    assert same(str(error)) == same(error.text) == same(BUSY)
    assert BackendError("plain", code="x").text == "plain"


@dataclass(frozen=True)
class Shown:
    text: UserText
    number: int = 0


def test_a_sentence_survives_copying_and_pickling() -> None:
    for copied in (
        copy.copy(NESTED),
        copy.deepcopy(NESTED),
        pickle.loads(pickle.dumps(NESTED)),
        replace(Shown(NESTED), number=1).text,
        copy.deepcopy(Note(NESTED)).text,
    ):
        assert same(copied) == same(NESTED)
        assert translate(copied, "ja") == translate(NESTED, "ja")


STORED = [
    ("plain text", "plain text"),
    (N_("Stopped."), "Stopped."),
    (BUSY, {"template": BUSY.template, "params": {"host": "localhost", "message": "no {0}"}}),
    (
        NESTED,
        {
            "template": NESTED.template,
            "params": {
                "status": {"template": "Running {function}", "params": {"function": "f"}},
                "progress": {"template": "seconds"},
            },
        },
    ),
    (
        N_plural("about {count} token", "about {count} tokens", 2),
        {"template": "about {count} token", "plural": "about {count} tokens", "params": {"count": 2}},
    ),
]


@pytest.mark.parametrize(("text", "stored"), STORED)
def test_a_sentence_is_stored_with_its_parameters(text: str, stored: object) -> None:
    assert ADAPTER.dump_python(text, mode="json") == stored
    assert TypeAdapter(Shown).dump_python(Shown(text)) == {"text": stored, "number": 0}
    loaded = TypeAdapter(Shown).validate_json(TypeAdapter(Shown).dump_json(Shown(text))).text
    assert loaded == text
    assert translate(loaded, "ja") == translate(text, "ja")
    assert ADAPTER.validate_python(text) is text


def test_a_sentence_that_is_too_long_is_stored_as_text() -> None:
    long = N_("Running {function}", function="x" * MAX_SENTENCE_CHARS)
    assert ADAPTER.dump_python(long) == str(long)


def nested(depth: int) -> object:
    return {"template": "{x}", "params": {"x": nested(depth - 1)}} if depth else "x"


@pytest.mark.parametrize(
    "stored",
    [
        None,
        7,
        ["x"],
        {},
        {"params": {}},
        {"template": "x", "params": []},
        {"template": "{x}", "params": {"y": "1"}},
        {"template": "{x.__class__}", "params": {"x": "1"}},
        {"template": "{x[0]}", "params": {"x": "1"}},
        {"template": "{x!r}", "params": {"x": "1"}},
        {"template": "{x:>999999999}", "params": {"x": "1"}},
        {"template": "{x:{x}}", "params": {"x": "1"}},
        {"template": "{x:,}", "params": {"x": "1"}},
        {"template": "{}", "params": {"": "1"}},
        {"template": "{0}", "params": {"0": "1"}},
        {"template": "{x", "params": {"x": "1"}},
        {"template": "{x}", "params": {"x": None}},
        {"template": "{x}", "params": {"x": ["1"]}},
        {"template": "{x}" * 2000, "params": {"x": "1" * 2000}},
        {"template": "{count}", "plural": "{count}", "params": {}},
        {"template": "{count}", "plural": "{count}", "params": {"count": "many"}},
        {"template": "{count}", "plural": "{count.real}", "params": {"count": 2}},
        {"template": "x", "plural": 1, "params": {"count": 2}},
        nested(MAX_NESTING + 1),
        nested(200),
    ],
)
def test_a_stored_sentence_that_is_damaged_or_hostile_is_refused(stored: object) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(stored)


def test_a_stored_sentence_may_be_nested_to_a_limit() -> None:
    assert ADAPTER.validate_python(nested(MAX_NESTING)) == "x"
