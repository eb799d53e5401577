"""The tables of events, terms and tools name what exists in the code and in the SDK."""

import re
from functools import cache
from pathlib import Path
from typing import get_args

import openai
import pytest

from assistant.events import Ending, Event
from assistant.tools.hosted import parse_hosted_tools
from tests.docs.pages import GUIDE, codes, rows, snippets
from tests.paths import ROOT


@cache
def sdk_event_types() -> str:
    types = Path(openai.__file__).parent / "types"
    names = [types / "responses" / "response_stream_event.py", *types.glob("responses/*event.py")]
    names += [*types.glob("beta/*event.py"), *types.glob("beta/agent_session*.py")]
    names += types.parent.glob("lib/streaming/agents/*.py")  # some are known there alone
    return "".join(path.read_text("utf-8") for path in names)


def is_sdk_event(name: str, *prefixes: str) -> bool:
    return any(f'"{prefix}{name}"' in sdk_event_types() for prefix in ("", *prefixes))


def test_the_events_of_the_guide_exist_in_the_sdk_and_here() -> None:
    ours = {kind.__name__ for kind in get_args(Event)}
    for old, new, agents, here in rows(GUIDE, "Streaming events"):
        for name in codes(old) + codes(new):
            assert is_sdk_event(name), name
        for name in codes(agents):
            assert is_sdk_event(name, "agent.session."), name
        assert set(codes(here)) <= ours


READERS = {
    "Responses with Conversations": ("responses.md", "responses", ""),
    "Agents on the wire": ("agents.md", "agents", "agent.session."),
    "Assistants on the wire": ("assistants.md", "assistants", "thread."),
    "Chat Completions on the wire": ("chat-completions.md", "chat_completions", ""),
}


@pytest.mark.parametrize("heading", READERS)
def test_the_stream_reader_of_a_protocol_handles_the_events_in_its_table(heading: str) -> None:
    page, file, prefix = READERS[heading]
    folder = ROOT / "assistant" / "backends" / file
    source = "".join(
        path.read_text("utf-8") for path in (folder / "stream.py", *sorted(folder.glob("*_reader.py")))
    )
    ours = {kind.__name__ for kind in get_args(Event)}
    for theirs, becomes in rows(page, heading):
        for name in codes(theirs):
            if file == "chat_completions":
                assert name.removeprefix("delta.") in source, name
            else:
                assert f'"{name}"' in source or f'"{name.removeprefix("turn.")}"' in source, name
                assert is_sdk_event(name, prefix), name
        assert set(codes(becomes)) <= ours


def test_the_hosted_tools_in_the_table_can_be_set_and_read() -> None:
    set_as = [codes(name)[0] for name, *_ in rows("hosted-tools.md", "Hosted tools")]
    assert len(parse_hosted_tools(",".join(set_as).replace("…", "example.com"))) == len(set_as) == 6
    read = "".join(path.read_text("utf-8") for path in (ROOT / "assistant/backends/responses").glob("*.py"))
    for theirs, becomes in rows("hosted-tools.md", "In the stream"):
        for name in codes(theirs):
            assert name.removeprefix("response.") in read, name
        assert set(codes(becomes)) <= {kind.__name__ for kind in get_args(Event)} | {"server"}


TERMS = ["assistant", "thread", "message", "run", "run step"]


def test_each_protocol_maps_every_term_of_the_assistants_api() -> None:
    assert [old for old, *_ in rows("protocols.md", "What takes the place of what")] == TERMS
    assert [old for old, *_ in rows(GUIDE, "What takes the place of what")][:5] == TERMS
    for page, _, _ in READERS.values():
        listed = rows(page, "From the Assistants API")
        more = ["`requires_action`", "`submit_tool_outputs`", "cancelling a run"]
        assert ([old for old, _ in listed], all(new for _, new in listed)) == ([*TERMS, *more], True), page


def test_the_table_of_events_is_complete() -> None:
    listed = [name for names, _ in rows("how-it-works.md", "The events") for name in codes(names)]
    assert sorted(listed) == sorted(kind.__name__ for kind in get_args(Event))
    endings = {
        names for names, what in rows("how-it-works.md", "The events") if what.startswith("The ending")
    }
    assert endings == {f"`{each.__name__}`" for each in get_args(Ending)}


def test_the_diagram_names_existing_files() -> None:
    [diagram] = [item for item in snippets() if item.language == "mermaid"]
    named = re.findall(r"[\w/]+(?:\.py|/)(?=[\",<\]])", diagram.code)
    assert len(named) > 8
    for name in named:
        assert any((root / name).exists() for root in (ROOT, ROOT / "assistant")), name
