"""The pages in ``docs/``: every snippet runs as it stands, every link leads somewhere, every table is right.

Not here: the README's own promises (``test_house.py``).

The one rule: a page is checked against the code, so that who changes one has to change the other.
"""

import ast
import json
import re
import shlex
import socket
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import openai
import pytest
from pydantic import BaseModel, Field

from assistant import Assistant, Thread, Tool, Toolbox, ToolError, cli, tool
from assistant import events as said_events
from assistant.backends import Backend, RemoteBackend, open_backend
from assistant.demo import transport as demo
from assistant.errors import AssistantError
from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Decision,
    Ending,
    Event,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunPaused,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolResult,
)
from assistant.messages import Message, Text
from assistant.recordings import check as checker
from assistant.recordings.entries import FIELD_TYPES
from assistant.recordings.recording import VERSION, Recording
from assistant.recordings.requests import prompt_of
from assistant.runs.replay import replay_assistant
from assistant.settings import VARIABLES, Settings
from assistant.storage.store import Store
from assistant.tools.execution import run_tool
from assistant.tools.hosted import parse_hosted_tools
from assistant.tools.lint import lint
from assistant.transports.fault_spec import FUNCTIONS, STREAM, parse_faults
from tests.conftest import add
from tests.paths import ROOT
from tests.servers.agents import AgentsServer
from tests.servers.assistants import AssistantsServer
from tests.servers.chat_completions import ChatServer
from tests.servers.responses import ModelServer, call, calls, text

PAGES = sorted((ROOT / "docs").glob("*.md"))
WITH_LINKS = [*PAGES, *sorted(ROOT.glob("*.md"))]


@dataclass(frozen=True)
class Snippet:
    """A block of code on a page, and the heading that it stands under."""

    page: str
    heading: str
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.heading}"


@cache
def snippets() -> list[Snippet]:
    found: list[Snippet] = []
    for page in PAGES:
        heading, opened = "", None
        for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
            fence = re.fullmatch(r"( *)```(\w*)", line)
            if fence and opened is None:
                opened = (fence[2], number, len(fence[1]), list[str]())
            elif fence and opened is not None:
                language, began, _, lines = opened
                found.append(Snippet(page.name, heading, began, language, "\n".join(lines) + "\n"))
                opened = None
            elif opened is not None:
                opened[3].append(line[opened[2] :])
            elif line.startswith("#"):
                heading = line.lstrip("# ")
        assert opened is None, f"{page.name}: a block of code has no end"
    return found


def in_language(*languages: str) -> pytest.MarkDecorator:
    found = [each for each in snippets() if each.language in languages]
    return pytest.mark.parametrize("snippet", found, ids=str)


def snippet(page: str, heading: str, number: int = 0) -> Snippet:
    return [each for each in snippets() if (each.page, each.heading) == (page, heading)][number]


def rows(page: str, heading: str, number: int = 0) -> list[list[str]]:
    """The cells of a table under a heading, without its head."""
    body = re.split(r"^#+ ", (ROOT / "docs" / page).read_text("utf-8"), flags=re.MULTILINE)
    section = next(each for each in body if each.startswith(f"{heading}\n"))
    table = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[number]
    lines = [line.replace(r"\|", "\0") for line in table.splitlines()[2:]]
    return [[cell.strip().replace("\0", "|") for cell in line.strip("|").split("|")] for line in lines]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- snippets ---------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is set, and an empty folder is the current one: the demo answers, without its pauses."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "SECONDS_PER_TOKEN", 0)


@pytest.fixture
def module(nowhere: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Snippet], Any]]:
    """Runs a snippet as a module of its own, and gives that."""
    made: list[ModuleType] = []

    def run(snippet: Snippet) -> ModuleType:
        made.append(ModuleType(f"snippet_{len(made)}"))
        monkeypatch.setitem(sys.modules, made[-1].__name__, made[-1])
        # As many lines before it as on its page, so that an error names the line there.
        code = compile("\n" * snippet.line + snippet.code, snippet.page, "exec")
        exec(code, made[-1].__dict__)
        return made[-1]

    yield run
    for each in made:
        if isinstance(used := getattr(each, "assistant", None), Assistant):
            used.backend.close()  # type: ignore[attr-defined]


WITH_A_SERVER = (
    "Before",
    "After: Responses and Conversations, with the SDK alone",
    "After: the Agents API, with the SDK alone",
    "Bring your threads",
)


@in_language("python")
def test_a_python_snippet_runs_as_it_stands(snippet: Snippet, module: Callable[[Snippet], Any]) -> None:
    if snippet.heading in WITH_A_SERVER:
        ast.parse(snippet.code)  # run below, each with its server
    else:
        module(snippet)


@in_language("json")
def test_json_is_json(snippet: Snippet) -> None:
    json.loads(snippet.code)


@in_language("sh")
def test_a_command_is_one(
    snippet: Snippet, nowhere: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["bash", "-n"], input=snippet.code, text=True, check=True, timeout=10)
    monkeypatch.setattr(cli, "dotenv_values", lambda path: {})  # who develops may have a key in it
    for line in snippet.code.splitlines():
        words = shlex.split(line)
        settings = dict(words.pop(0).split("=", 1) for word in words.copy() if re.match("[A-Z_]+=", word))
        if not words:  # as in ``.env``
            assert settings.keys() <= VARIABLES.keys()
            assert Settings.load(settings) != Settings()
            continue
        if words[0] == "docker":
            assert (ROOT / "Dockerfile").is_file()  # its steps are taken in test_container.py
            continue
        assert words[:2] == ["python", "-m"]
        if words[2] == "assistant":
            status = cli.main(words[3:], settings)
            assert status == (cli.FAILED if settings else cli.COMPLETED)
            assert settings or capsys.readouterr().out
        else:
            assert (words[2], (ROOT / words[3]).is_file()) == ("pytest", True)


def test_there_is_no_other_language() -> None:
    assert {each.language for each in snippets()} == {"python", "json", "jsonl", "sh", "text", "mermaid"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_read_in_five_minutes(page: Path) -> None:
    sanitizer = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(sanitizer.split()) < 5 * 260  # words in a minute, as people read English


# --- coming from the Assistants API -----------------------------------------------------------------

GUIDE = "from-the-assistants-api.md"
SUM = [calls(call("add", a=2, b=3)), text("Five.")]
SERVERS: dict[str, tuple[Callable[[], Any], dict[str, str]]] = {
    "Responses": (ModelServer, {}),
    "Responses alone": (lambda: ModelServer(conversations=False), {}),
    "Chat Completions": (ChatServer, {"ASSISTANT_PROTOCOL": "chat"}),
    "Agents": (AgentsServer, {"OPENAI_AGENT_ID": "agent_1"}),
    "Assistants": (AssistantsServer, {"OPENAI_ASSISTANT_ID": "asst_1"}),
}


@pytest.fixture
def set_to(nowhere: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Starts a server of a protocol and sets the environment to it."""
    with closing(_Servers(monkeypatch)) as servers:
        yield servers.start


class _Servers:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch, self._servers = monkeypatch, list[Any]()

    def start(self, protocol: str) -> Any:
        make, variables = SERVERS[protocol]
        self._servers.append(server := make().__enter__())
        for name, value in {
            "OPENAI_BASE_URL": server.url,
            "OPENAI_API_KEY": "sk-test-key",
            **variables,
        }.items():
            self._monkeypatch.setenv(name, value)
        return server

    def close(self) -> None:
        for server in self._servers:
            server.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("heading", "protocol"),
    [
        ("Before", "Assistants"),
        ("After: Responses and Conversations, with the SDK alone", "Responses"),
        ("After: the Agents API, with the SDK alone", "Agents"),
        *(("After: here", protocol) for protocol in SERVERS),
    ],
)
def test_before_and_after_say_the_same(
    heading: str,
    protocol: str,
    set_to: Callable[[str], Any],
    module: Callable[[Snippet], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = set_to(protocol)
    server.plays(*SUM)
    with warnings.catch_warnings():
        if heading == "Before":
            warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's, about that very API
        module(snippet(GUIDE, heading))
    assert (capsys.readouterr().out, server.refused) == ("Five.", [])
    assert '"5"' in json.dumps(server.requests[-1]) or '"5.0"' in json.dumps(server.requests[-1])


def test_the_new_loop_runs_nothing_from_an_answer_that_was_cut(
    set_to: Callable[[str], Any], module: Callable[[Snippet], Any]
) -> None:
    server = set_to("Responses")
    server.plays(calls(call("add", a=2, b=3), ending=""))
    with pytest.raises(RuntimeError, match="did not end well"):
        module(snippet(GUIDE, "After: Responses and Conversations, with the SDK alone"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("protocol", SERVERS)
def test_a_thread_that_was_kept_is_told_to_whoever_answers(
    protocol: str, set_to: Callable[[str], Any], module: Callable[[Snippet], Any]
) -> None:
    server = set_to(protocol)
    server.plays(text("Ada."))
    made = module(snippet(GUIDE, "Bring your threads"))
    assert made.thread.messages[-1].text == "Ada."
    told = str(server.requests) + str(server.conversations) + str(getattr(server, "threads", ""))
    for words in ("My name is Ada.", "Hello, Ada!", "What is my name?"):
        assert words in told


@cache
def known_to_the_sdk() -> str:
    types = Path(openai.__file__).parent / "types"
    names = [types / "responses" / "response_stream_event.py", *types.glob("responses/*event.py")]
    names += [*types.glob("beta/*event.py"), *types.glob("beta/agent_session*.py")]
    names += types.parent.glob("lib/streaming/agents/*.py")  # some are known there alone
    return "".join(path.read_text("utf-8") for path in names)


def is_event_of_the_sdk(name: str, *prefixes: str) -> bool:
    return any(f'"{prefix}{name}"' in known_to_the_sdk() for prefix in ("", *prefixes))


def test_the_events_of_the_guide_are_those_of_the_sdk_and_of_ours() -> None:
    ours = {each.__name__ for each in get_args(Event)}
    for old, new, agents, here in rows(GUIDE, "Streaming events"):
        for name in codes(old) + codes(new):
            assert is_event_of_the_sdk(name), name
        for name in codes(agents):
            assert is_event_of_the_sdk(name, "agent.session."), name
        assert set(codes(here)) <= ours


# --- protocols --------------------------------------------------------------------------------------

READERS = {
    "Responses with Conversations": ("responses.md", "responses", ""),
    "Agents on the wire": ("agents.md", "agents", "agent.session."),
    "Assistants on the wire": ("assistants.md", "assistants", "thread."),
    "Chat Completions on the wire": ("chat-completions.md", "chat_completions", ""),
}


@pytest.mark.parametrize("heading", READERS)
def test_the_events_of_a_protocol_are_those_that_its_reader_knows(heading: str) -> None:
    page, file, prefix = READERS[heading]
    source = (ROOT / "assistant" / "backends" / file / "stream.py").read_text("utf-8")
    ours = {each.__name__ for each in get_args(Event)}
    for theirs, said in rows(page, heading):
        for name in codes(theirs):
            if file == "chat_completions":
                assert name.removeprefix("delta.") in source, name
            else:
                assert f'"{name}"' in source or f'"{name.removeprefix("turn.")}"' in source, name
                assert is_event_of_the_sdk(name, prefix), name
        assert set(codes(said)) <= ours


def test_the_tools_of_the_servers_own_are_those_that_can_be_set_and_read() -> None:
    set_as = [codes(name)[0] for name, *_ in rows("hosted-tools.md", "Hosted tools")]
    assert len(parse_hosted_tools(",".join(set_as).replace("…", "example.com"))) == len(set_as) == 6
    read = "".join(path.read_text("utf-8") for path in (ROOT / "assistant/backends/responses").glob("*.py"))
    for theirs, said in rows("hosted-tools.md", "In the stream"):
        for name in codes(theirs):
            assert name.removeprefix("response.") in read, name
        assert set(codes(said)) <= {each.__name__ for each in get_args(Event)} | {"server"}


TERMS = ["assistant", "thread", "message", "run", "run step"]


def test_each_protocol_says_what_takes_the_place_of_what() -> None:
    assert [old for old, *_ in rows("protocols.md", "What takes the place of what")] == TERMS
    assert [old for old, *_ in rows(GUIDE, "What takes the place of what")][:5] == TERMS
    for page, _, _ in READERS.values():
        told = rows(page, "From the Assistants API")
        more = ["`requires_action`", "`submit_tool_outputs`", "cancelling a run"]
        assert ([old for old, _ in told], all(new for _, new in told)) == ([*TERMS, *more], True), page


# --- how it works -----------------------------------------------------------------------------------


def test_the_table_of_events_has_all_of_them() -> None:
    told = [name for names, _ in rows("how-it-works.md", "The events") for name in codes(names)]
    assert sorted(told) == sorted(each.__name__ for each in get_args(Event))
    endings = {
        names for names, what in rows("how-it-works.md", "The events") if what.startswith("The ending")
    }
    assert endings == {f"`{each.__name__}`" for each in get_args(Ending)}


def test_the_picture_names_files_that_exist() -> None:
    [picture] = [each for each in snippets() if each.language == "mermaid"]
    named = re.findall(r"[\w/]+(?:\.py|/)(?=[\",<\]])", picture.code)
    assert len(named) > 8
    for name in named:
        assert any((root / name).exists() for root in (ROOT, ROOT / "assistant")), name


# --- functions --------------------------------------------------------------------------------------


def test_the_outcomes_are_all_of_them() -> None:
    assert [codes(name)[0] for name, _ in rows("functions.md", "Results")] == list(
        get_args(said_events.Outcome)
    )


class Color(Enum):
    RED = "red"


@dataclass
class Point:
    x: float


class Place(BaseModel):
    name: str


NAMES: dict[str, Any] = {
    "Any": Any,
    "Annotated": Annotated,
    "Field": Field,
    "Literal": Literal,
    "Enum": Color,
    "UUID": UUID,
    "date": date,
    "datetime": datetime,
    "time": time,
    "Point": Point,
    "Place": Place,
}


def test_types_are_strict_where_the_page_says_so() -> None:
    tried = 0
    for types, strict in rows("functions.md", "Types"):
        extra = ["Point", "Place"] if "dataclass" in types else []
        for each in [*codes(types), *extra]:

            def function(value: Any) -> None: ...

            function.__annotations__["value"] = eval(each, NAMES)
            assert tool(function).strict == (strict == "yes"), each
            tried += 1
    assert tried == 19


@dataclass(frozen=True)
class Try:
    """A call of a function of the gallery: what it gives, and how it ends."""

    arguments: str
    output: object
    outcome: str = "done"


class _Encyclopaedia(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/AC%2FDC"
        data = json.dumps({"title": "AC/DC", "extract": "A band.", "more": 1} if found else {}).encode()
        self.send_response(200 if found else 404)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    """An encyclopaedia with one article."""
    with HTTPServer(("127.0.0.1", 0), _Encyclopaedia) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


GALLERY = [each for each in snippets() if each.page == "functions.md"][-7:]

TRIES = {
    "find_orders": [
        Try(
            '{"customer": "ADA@example.org", "status": null}',
            [{"number": "2", "placed": "2026-11-02", "status": "open", "total": 5.0}],
        ),
        Try('{"customer": "x\' OR 1=1 --", "status": null}', []),
        Try('{"customer": "ada@example.org", "status": "lost"}', "status", "invalid"),
    ],
    "look_up": [
        Try('{"topic": "AC/DC"}', {"title": "AC/DC", "extract": "A band."}),
        Try('{"topic": "../secrets"}', "There is no article called '../secrets'", "failed"),
    ],
    "read_note": [
        Try('{"name": "trip"}', "Oslo!"),
        Try('{"name": "../secret"}', "There is no note '../secret'. Available notes: trip.", "failed"),
        Try('{"name": "/etc/passwd"}', "Available notes: trip.", "failed"),
    ],
    "add_task": [
        Try('{"title": "Pack", "due": "2026-12-01"}', "The task is on the list."),
        Try('{"title": "Pack", "due": "soon"}', "due", "invalid"),
    ],
    "split_bill": [
        Try(
            '{"items": [{"name": "Pizza", "price": 12, "shared_by": ["Ada", "Bo"]},'
            ' {"name": "Tea", "price": 3, "shared_by": ["Bo"]}], "tip_percent": 10}',
            {"Ada": 6.6, "Bo": 9.9},
        ),
        Try('{"items": [], "tip_percent": null}', "items", "invalid"),
        Try('{"items": [{"name": "Tea", "price": 3, "shared_by": []}]}', "No one shares 'Tea'.", "failed"),
    ],
    "check_services": [
        Try('{"names": ["shop", "mail"]}', {"shop": True, "mail": False}),
        Try('{"names": []}', {}),
        Try('{"names": ["localhost:22"]}', "names", "invalid"),
    ],
    "plan_savings": [
        Try('{"monthly": 100, "years": 2, "percent": 0}', "After 2 years: 2400.00"),
        Try('{"monthly": 100, "years": 51}', "years", "invalid"),
    ],
}


def prepare(module: Any, address: str) -> None:
    """What the functions of the gallery find in their surroundings."""
    match module:
        case object(DATABASE=str()):
            with closing(sqlite3.connect(module.DATABASE)) as database, database:
                database.execute("CREATE TABLE orders (number, placed, status, total, customer)")
                orders = [("1", "2026-11-01", "open", 1.0, "bo@example.org")]
                orders += [("2", "2026-11-02", "open", 5.0, "ada@example.org")]
                database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", orders)
        case object(WIKIPEDIA=str()):
            module.WIKIPEDIA = address
        case object(NOTES=Path()):
            module.NOTES.mkdir()
            (module.NOTES / "trip.md").write_text("Oslo!")
            Path("secret.md").write_text("Secret.")
        case object(SERVICES=dict()):
            port = int(address.rpartition(":")[2].strip("/"))
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                module.SERVICES |= {"shop": ("127.0.0.1", port), "mail": free.getsockname()}


@pytest.mark.parametrize("snippet", GALLERY, ids=lambda each: each.heading)
def test_a_function_of_the_gallery_is_strict_and_does_what_it_says(
    snippet: Snippet, module: Callable[[Snippet], Any], address: str
) -> None:
    made = module(snippet)
    prepare(made, address)
    [offered] = [value for value in vars(made).values() if isinstance(value, Tool)]
    toolbox = Toolbox(offered)
    assert (offered.strict, lint(toolbox)) == (True, [])
    assert offered.approval == ("after asking" in snippet.heading)
    for each in TRIES[offered.name]:
        result = run_tool(ToolCall("call_1", offered.name, each.arguments), toolbox)
        assert result.outcome == each.outcome, result
        if each.outcome == "done" and not isinstance(each.output, str):
            assert json.loads(result.output) == each.output
        else:
            assert str(each.output) in result.output
        assert "Secret." not in result.output


# --- recordings ------------------------------------------------------------------------------------------


def test_the_recording_on_the_page_replays_and_keeps_every_promise() -> None:
    recording = Recording.from_lines(snippet("recordings.md", "The format, version 1").code)
    assert (VERSION, checker.check(recording), prompt_of(recording)) == (1, [], "Hello?")
    thread = Thread()
    assistant = replay_assistant(recording, speed=float("inf"))
    assert list(assistant.run(thread, prompt_of(recording)))[-1] == RunCompleted()
    assistant.backend.close()  # type: ignore[attr-defined]
    assert (thread.id, thread.messages[-1].text) == ("conv_1", "Hi there.")
    assert recording.as_lines() == Recording.from_lines(recording.as_lines()).as_lines()


def test_the_kinds_of_entries_and_the_rules_and_the_faults_are_all_of_them() -> None:
    kinds = {codes(kind)[0]: codes(has) for kind, has, _ in rows("recordings.md", "The format, version 1")}
    assert kinds == {kind: list(fields) for kind, fields in FIELD_TYPES.items()}
    assert [codes(rule)[0] for rule, _ in rows("recordings.md", "The checker")] == list(
        get_args(checker.Rule)
    )
    faults = [fault for kind in STREAM | FUNCTIONS for fault in parse_faults(kind)]
    told = [[codes(fault)[0], does] for fault, does in rows("recordings.md", "Faults")]
    assert told == [*([str(fault), fault.describe()] for fault in faults), ["random", "Any one of them."]]


def test_the_faults_that_the_page_writes_are_understood() -> None:
    written = snippet("recordings.md", "Faults", 1).code
    found = [each for line in written.splitlines()[1:] for each in line.split("]")[-1].split()]
    assert [str(fault) for each in found for fault in parse_faults(each)] == found
    assert parse_faults("seed=7,random") == parse_faults("random,seed=7")


# --- a backend of one's own -------------------------------------------------------------------------


@pytest.fixture
def echo(module: Callable[[Snippet], Any]) -> Callable[..., Assistant]:
    """Makes an assistant with the example backend, as another process would."""
    made = module(snippet("add-a-backend.md", "A whole one: Echo"))

    def make(*tools: Tool[..., Any]) -> Assistant:
        backend: RemoteBackend = made.Echo()
        return Assistant(backend, Toolbox(*tools))

    return make


@tool
def fail(why: str) -> str:
    """Fail.

    Args:
        why: The reason.
    """
    raise ToolError(why)


@tool(approval=True)
def double(number: int) -> int:
    """Double a number.

    Args:
        number: The number.
    """
    return number * 2


def test_the_page_lists_every_method_of_a_backend() -> None:
    methods = [codes(method)[0].partition("(")[0] for method, _ in rows("add-a-backend.md", "Add a backend")]
    expected = {*vars(Backend), *vars(RemoteBackend)}
    assert sorted(methods) == sorted(name for name in expected if not name.startswith("_"))


def test_a_run_of_echo_begins_with_its_round_opens_its_thread_once_and_ends_once(
    echo: Callable[..., Assistant],
) -> None:
    assistant, thread = echo(), Thread()
    first, second = (list(assistant.run(thread, words)) for words in ("One two", "Three"))
    assert first == [
        RoundStarted(1),
        ThreadOpened(thread.id),
        TextDelta("One "),
        TextDelta("two"),
        RoundEnded(),
        RunCompleted(),
    ]
    assert second == [RoundStarted(1), TextDelta("Three"), RoundEnded(), RunCompleted()]


@pytest.mark.parametrize(
    "words", ["Grüße, 世界! 👩‍👩‍👧 \u2028 $5 <b>&amp;</b> \\n", "\n", " a ", "x" * 100_000]
)
def test_any_text_comes_through_echo(words: str, echo: Callable[..., Assistant]) -> None:
    thread = Thread()
    list(echo().run(thread, words))
    assert thread.messages[-1] == Message("assistant", [Text(words)], RunCompleted())


def test_calls_of_echo_are_run_once_and_whatever_one_does_there_is_a_result(
    echo: Callable[..., Assistant],
) -> None:
    thread = Thread()
    words = 'add {"a": 1, "b": 2}\nfail {"why": "so"}\nadd {"a": 1\nadd {"a": "x", "b": 1}'
    events = list(echo(add, fail).run(thread, words))
    outcomes = sorted(event.outcome for event in events if isinstance(event, ToolResult))
    assert (outcomes, events[-1]) == (["done", "failed", "invalid", "invalid"], RunCompleted())
    assert (thread.open_calls(), thread.messages[-1].text.splitlines()[0]) == ([], "3")


def test_a_run_of_echo_that_is_closed_between_a_call_and_its_result_goes_on(
    echo: Callable[..., Assistant],
) -> None:
    assistant, thread = echo(add), Thread()
    run = assistant.run(thread, 'add {"a": 1, "b": 2}')
    assert any(isinstance(event, ToolCall) for event in run)
    run.close()
    assert len(thread.open_calls()) == 1
    assert list(assistant.run(thread, "Go on."))[-1] == RunCompleted()
    assert (thread.open_calls(), thread.messages[-1].text) == ([], "Go on.")


def test_a_thread_of_echo_goes_on_in_another_process_after_a_pause(
    echo: Callable[..., Assistant], tmp_path: Path
) -> None:
    thread = Thread()
    words = "\n".join(f'double {{"number": {number}}}' for number in (1, 2, 3))
    assert list(echo(double).run(thread, words))[-1] == RunPaused()
    store = Store(f"sqlite:///{tmp_path}/threads.sqlite")
    store.save(thread)
    again = store.load(thread.id)
    store.close()
    assert again is not None
    first, second, third = (each.call_id for each in again.open_calls())
    decisions: list[Decision] = [CallApproved(first), CallDenied(second, "No."), CallAnswered(third, "six")]
    assert list(echo(double).decide(again, decisions))[-1] == RunCompleted()
    said = again.messages[-1].text.splitlines()
    assert (said[0], "Reason: No." in said[1], said[2]) == ("2", True, "six")


def test_two_threads_of_echo_do_not_mix(echo: Callable[..., Assistant]) -> None:
    assistant, first, second = echo(), Thread(), Thread()
    run = assistant.run(first, "One two three")
    assert any(isinstance(event, TextDelta) for event in run)
    list(assistant.run(second, "Other"))
    assert list(run)[-1] == RunCompleted()
    assert (first.messages[-1].text, second.messages[-1].text) == ("One two three", "Other")
    assert first.id != second.id


def test_a_thread_goes_on_with_echo_after_another_backend_and_back(
    echo: Callable[..., Assistant], set_to: Callable[[str], Any]
) -> None:
    server = set_to("Responses")
    server.plays(text("Hello."), text("Yes."))
    thread = Thread()
    with closing(open_backend(Settings(base_url=server.url, api_key="sk-test-key"))) as backend:
        other = Assistant(backend, Toolbox())
        list(other.run(thread, "Hi"))
        name = thread.id
        list(echo().run(thread, "Say this"))
        assert list(other.run(thread, "Have you heard?"))[-1] == RunCompleted()
    assert [each.text for each in thread.messages[1::2]] == ["Hello.", "Say this", "Yes."]
    assert (thread.id, server.refused) == (name, [])


def test_echo_keeps_no_threads(echo: Callable[..., Assistant]) -> None:
    backend: Any = echo().backend
    with pytest.raises(AssistantError, match="keeps no threads"):
        backend.load_thread("thread_1")
    assert (backend.can_resume(Thread()), backend.delete_thread(Thread()), backend.cancel(Thread())) == (
        False,
        None,
        None,
    )


# --- links ------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The names by which GitHub knows a page's headings."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", WITH_LINKS, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    written = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", written):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert found.is_relative_to(ROOT.resolve()), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    for name in re.findall(r"`((?:assistant|tests|docs)/[\w/.]+)`", page.read_text("utf-8")):
        assert (ROOT / name).exists(), name


def test_every_page_is_linked_from_the_first() -> None:
    first = (ROOT / "docs" / "how-it-works.md").read_text("utf-8")
    assert {page.name for page in PAGES} == {"how-it-works.md", *re.findall(r"\]\(([\w-]+\.md)", first)}


def test_the_changelog_begins_with_what_is_not_released() -> None:
    versions = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[0] == "[Unreleased]"
