"""What one chat changes of its requests: kept with the chat, and never past the owner's limits."""

import pytest

from assistant.backends.connection.override import ConnectionOverride
from assistant.errors import QuotaError
from assistant.request_options import RequestOptions
from tests.servers.responses import ModelServer, error, text
from tests.session.conftest import Open, ask, finished, texts
from tests.stored import load_stored

EVERYTHING = RequestOptions(
    model="expensive",
    effort="max",
    verbosity="low",
    max_output_tokens=1_000_000,
    service_tier="priority",
    instructions="Write my thesis.",
)


def test_options_hold_for_one_chat_and_are_saved_with_it(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("One."), text("Two."), text("Other."))
    chat = open_chat()
    chat.change_options(RequestOptions(model="first"))
    ask(chat, "One?")
    thread_id = chat.thread.id
    assert load_stored(chat.store, thread_id).options == RequestOptions(model="first")
    chat.change_options(RequestOptions(model="second"))
    assert load_stored(chat.store, thread_id).options == RequestOptions(model="second")
    other = open_chat()
    other.open(thread_id)
    ask(other, "Two?")
    chat.new()
    assert chat.thread.options == RequestOptions()
    ask(chat, "Other?")
    assert [body["model"] for body in server.requests] == ["first", "second", "gpt-6-luna"]


def test_options_that_cannot_be_sent_change_nothing(open_chat: Open) -> None:
    chat = open_chat()
    chat.change_options(RequestOptions(verbosity="low"))
    with pytest.raises(ValueError, match="1,000,000 characters"):
        chat.change_options(RequestOptions(instructions="x" * 1_000_000))
    assert chat.thread.options == RequestOptions(verbosity="low")


def test_a_visitor_does_not_pass_the_owners_limits(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("Hello."), text("Hello."))
    limits = {"ASSISTANT_LIMIT_ALL": "1000000 tokens/day", "ASSISTANT_MAX_OUTPUT_TOKENS": "99"}
    visitor = open_chat(is_localhost=False, **limits)
    visitor.change_options(EVERYTHING)
    ask(visitor, "Hi")
    owner = open_chat(**limits)
    owner.change_options(EVERYTHING)
    ask(owner, "Hi")
    of_visitor, of_owner = server.requests
    assert of_visitor["model"] == "gpt-6-luna"
    assert of_visitor["instructions"] == owner.connection.settings.instructions
    assert "effort" not in of_visitor["reasoning"]
    assert (of_visitor["text"], of_visitor["max_output_tokens"]) == ({"verbosity": "low"}, 99)
    assert (of_owner["model"], of_owner["instructions"]) == ("expensive", "Write my thesis.")
    assert of_owner["max_output_tokens"] == 99
    # A tier has another price, which limits do not count.
    assert not any("service_tier" in body for body in server.requests)


def test_a_visitor_with_a_key_of_their_own_may_change_everything(
    server: ModelServer, open_chat: Open
) -> None:
    server.plays(text("Hello."))
    visitor = open_chat(is_localhost=False, ASSISTANT_LIMIT_ALL="1000000 tokens/day")
    visitor.connection.override = ConnectionOverride(server.url, "sk-visitor", "theirs")
    visitor.connection.configure()
    visitor.change_options(EVERYTHING)
    ask(visitor, "Hi")
    body = server.requests[0]
    assert (body["model"], body["service_tier"]) == ("expensive", "priority")
    assert body["max_output_tokens"] == 1_000_000


def test_a_chats_own_instructions_and_schema_count_against_the_limits(
    server: ModelServer, open_chat: Open
) -> None:
    chat = open_chat(ASSISTANT_LIMIT_ALL="20000 tokens/day", ASSISTANT_MAX_OUTPUT_TOKENS="16")
    chat.change_options(RequestOptions(instructions="word " * 30_000))
    meter = chat.connection.meter(chat.thread)
    assert meter is not None
    meter.admit()
    with pytest.raises(QuotaError):
        meter.admit()


def test_an_unknown_model_fails_with_its_name_and_nothing_is_lost(
    server: ModelServer, open_chat: Open
) -> None:
    server.plays(error(404, "model_not_found", "The model 'gpt-99' does not exist."), text("Hello."))
    chat = open_chat()
    chat.change_options(RequestOptions(model="gpt-99"))
    ask(chat, "Hi")
    assert "gpt-99" in str(getattr(chat.thread.ending, "text", ""))
    chat.change_options(RequestOptions())
    chat.retry()
    assert texts(finished(chat)) == ["Hi", "Hello."]
