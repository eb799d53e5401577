"""A program keeps a session open that has ended, and goes on as if it had not."""

import time
from pathlib import Path
from typing import Any

import pytest

from assistant.access.sessions import CHECK_SECONDS, EVERYONE, end_sessions
from assistant.storage.database import Database
from tests.access.visitors import Visitor, served
from tests.servers.responses import ModelServer, text

pytestmark = pytest.mark.exhaustive

PASSWORD = "open sesame"


def test_nothing_that_an_ended_session_sends_reaches_the_model(server: ModelServer, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/threads.sqlite")
    server.plays(text("Canary of the answer."), text("Hello again."))
    settings: dict[str, Any] = {"OPENAI_BASE_URL": server.url, "ASSISTANT_PASSWORD": PASSWORD}
    with served(tmp_path, **settings) as address, Visitor(address, PASSWORD) as visitor:
        visitor.say("Hi")
        visitor.wait(lambda: visitor.shows("Canary of the answer.") and visitor.finished)
        assert visitor.fragments
        end_sessions(database, [EVERYONE])
        visitor.settle()
        time.sleep(CHECK_SECONDS)
        for fragment in sorted(visitor.fragments):
            visitor.say("Canary of the visitor", fragment)
            visitor.settle()
            assert not visitor.shows("Canary")
        visitor.say("Canary of the visitor")
        visitor.wait(lambda: visitor.finished)
        assert visitor.shows("Your session has ended. Log in again.")
        assert not visitor.shows("Canary")
        assert not visitor.uncaught
        with Visitor(address, PASSWORD) as other:  # one that has just logged in
            other.say("Hi")
            other.wait(lambda: other.shows("Hello again."))
    assert len(server.requests) == 2
    database.close()
