"""A fresh deployment with a key and nothing else set: no stranger uses the key or sees anything of the owner's.

The stranger comes from this machine with ``Host: localhost``, as through a proxy that hides everybody's address.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from streamlit.proto.BackMsg_pb2 import BackendOperationRequest, BackMsg
from streamlit.proto.ClientState_pb2 import ClientState, ContextInfo
from streamlit.proto.Common_pb2 import ChatInputValue, FileURLsRequest, StringTriggerValue
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates

from assistant.messages import Message
from assistant.storage.json_export import export_json
from assistant.threads import Thread
from tests.access.test_local import HEADERS, Visit, visit
from tests.deploy.deployments import KEY, QUESTION, Deployment, deployed
from tests.deploy.stranger import Stranger
from tests.forged import CITED, ENDINGS, Ending, forged_recording
from tests.servers.responses import ModelServer
from tests.ui.page import Open, ask, sent
from tests.ui.test_config import opened

__all__ = ["visit"]  # a fixture

Attempt = Callable[[Stranger, Deployment], object]
SHORT = 'calculate(expression="6*7")'
"""The demo answers this at once."""


@pytest.fixture(scope="module", params=["Cloud", "container"])
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    with deployed(request.param, tmp_path_factory.mktemp("deployment")) as deployment:
        yield deployment


@pytest.fixture
def stranger(deployment: Deployment) -> Iterator[Stranger]:
    with Stranger(deployment.port) as stranger:
        yield stranger


# --- the attempts -------------------------------------------------------------------------------------


def everything(stranger: Stranger, _: Deployment) -> None:
    """Ask, regenerate, edit, rate and retry."""
    stranger.say("Hello")
    assert stranger.shows("Demo mode"), "the demo answers"
    stranger.press("regenerate_1", "edit_0")
    stranger.use(edit_text_0="Hello again", save_0=...)
    stranger.use(retry=...)


def replay(ending: Ending, stranger: Stranger, deployment: Deployment) -> None:
    """Play a recording that claims to be of the owner's conversation, and go on from it."""
    recording = forged_recording(deployment.model.url, deployment.secrets["conversation"], ending, CITED)
    stranger.use(inspector=True)
    stranger.use(recording_file=stranger.upload(recording.encode(), "x.jsonl"))
    stranger.use(inspector_view=["Recording"])
    stranger.use(inspector_speed=["Instant"])
    stranger.begin(inspector_replay=...)
    stranger.receive(1.0)
    assert stranger.shows("Four"), "it is replayed"
    if ending == "pauses":
        stranger.press(stranger.key_ending("-deny"))
    stranger.press("stop")
    stranger.say("Repeat all of it")
    for key in [key for key in stranger.ids if "regenerate_" in key or "source" in key or "file" in key]:
        stranger.press(key)


def import_chat(stranger: Stranger, deployment: Deployment) -> None:
    exported = json.loads(export_json(Thread(messages=[Message.from_user("Hi")]), "Mine"))
    exported |= {
        "id": deployment.secrets["conversation"],
        "backend_state": {"responses": {deployment.model.url: {}}},
    }
    value = stranger.upload(json.dumps(exported).encode(), "thread.json")
    stranger.use(**{deployment.owner.ids["import"]: value})
    stranger.say("Repeat all of it")


def open_chats(stranger: Stranger, deployment: Deployment) -> None:
    """Open addresses that are no chat's, and the ids of the owner's server."""
    thread = deployment.secrets["thread"]
    for guess in (
        deployment.secrets["conversation"],
        "resp_1",
        "1",
        "*",
        "%25",
        "../" * 9,
        thread[:-1],
        "",
        "' OR 1=1 --",
    ):
        stranger.use(f"thread={guess}")
        stranger.say(SHORT)


def use_owners_widgets(stranger: Stranger, deployment: Deployment) -> None:
    """Use every widget that only the owner's page has, by its id."""
    hidden = [widget for key, widget in deployment.owner.ids.items() if key not in stranger.ids]
    assert any("menu_" in each for each in hidden)
    assert any("search" in each for each in hidden)
    delete = StringTriggerValue(data=":material/delete: Delete")
    for value in (..., True, "canary", ["Code"], "Custom URL"):
        stranger.use(**dict.fromkeys(hidden, value))
    stranger.use(**{each: WidgetState(id=each, string_trigger_value=delete) for each in hidden})
    for key in ("delete", "connection_use", "new_chat"):
        stranger.use(**{deployment.owner.ids.get(key, key): ...})


def connect_elsewhere(stranger: Stranger, deployment: Deployment) -> None:
    """Choose a server of one's own, and test it: it gets no request, nor anything of the owner's."""
    ids = deployment.owner.ids
    stranger.press("open_connection")
    with ModelServer() as own:
        for provider in ("Custom URL", "Local server", "url", "local"):
            stranger.use(connection=provider)
            for button in ("connection_test", "connection_use", "connection_refresh"):
                form = {
                    ids["connection_url"]: own.url,
                    ids["connection_url_key"]: "sk-own",
                    "connection_model": "m",
                }
                stranger.use(**form, **{ids.get(button, button): ...})
                stranger.say(SHORT)
        assert own.received == []


def check_owners_connection(stranger: Stranger, deployment: Deployment) -> None:
    """Test and use the owner's connection, whose buttons are disabled in the page."""
    stranger.press("open_connection")
    stranger.use(connection="From .env")
    stranger.press("connection_test", "connection_use")
    stranger.use(connection="OpenAI")
    stranger.press("connection_test", "connection_use")


def send_files(stranger: Stranger, deployment: Deployment) -> None:
    """Send a file and a voice message, to one's own session and to that of the owner."""
    for name in ("a.txt", "a.png", "../../.streamlit/secrets.toml"):
        stranger.use(prompt=ChatInputValue(data="Read it", file_uploader_state=stranger.upload(b"x", name)))
    audio = stranger.upload(b"RIFF" + b"\0" * 100, "a.wav").uploaded_file_info[0]
    stranger.use(prompt=ChatInputValue(data="Listen", audio_file_info=audio))
    stranger.upload(b"x", "a.txt", session="00000000-0000-0000-0000-000000000000")


def guess_token(stranger: Stranger, deployment: Deployment) -> None:
    token, port = deployment.secrets["token"], deployment.port
    for guess in ("", "off", "None", "null", token[:-1], token.swapcase(), "%00", "é", "x" * 1_000):
        stranger.use(f"token={guess}")
        with Stranger(port, f"token={guess}", cookie=f"assistant_token_{port}={guess.encode()!r}") as other:
            other.say(SHORT)
            stranger.seen += other.seen
    assert not stranger.shows("Answers by")


def forge_headers(stranger: Stranger, deployment: Deployment) -> None:
    for name in (
        "X-Forwarded-For",
        "Forwarded",
        "X-Real-IP",
        "X-Streamlit-User",
        "Authorization",
        "X-Forwarded-User",
    ):
        with Stranger(deployment.port, headers={name: "127.0.0.1"}) as other:
            other.say(SHORT)
            stranger.seen += other.seen
    for host in ("127.0.0.1", "[::1]", "localhost", "chat.example"):
        with Stranger(deployment.port, host=host) as other:
            other.say(SHORT)
            stranger.seen += other.seen


PATHS = """
/_stcore/metrics /_stcore/%6detrics /_stcore/metrics/ /_stcore/host-config /_stcore/health /_stcore/script-health-check
/.env /.streamlit/secrets.toml /.streamlit/config.toml /streamlit_app.py /assistant/settings.py /threads.sqlite
/data/threads.sqlite /app/static/../.env /app/static/..%2f.env /media/..%2f..%2f.env /media/%2e%2e/.env /static/../.env
/component/../.env /component/x/..%2f..%2f.env /_stcore/agent/openapi.json /../../../../proc/self/environ
/%2e%2e/%2e%2e/proc/self/environ /static//proc/self/environ /media//proc/self/environ //proc/self/environ /_stcore/stream
"""


def request_paths(stranger: Stranger, deployment: Deployment) -> None:
    """Ask the server for its files and figures."""
    for path in PATHS.split():
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            stranger.get(path, method, Origin="https://attacker.example")
    assert stranger.get("/_stcore/agent/interact", "POST", b"{}")[0] in (403, 404, 405)


def read_what_runs(stranger: Stranger, deployment: Deployment) -> None:
    """Look for the source, the instructions and the server's address in the inspector."""
    stranger.say("canary_price()")
    stranger.use(inspector=True)
    for tab in ("Code", "Faults", "code", "Functions", "Run log"):
        stranger.use(inspector_tab=[tab])
    assert stranger.shows("canary_price"), "the function was called"
    stranger.use(inspector_view=["Recording"])
    for key in ("fault_stream", "fault_functions"):
        stranger.use(**{deployment.owner.ids.get(key, key): "function.huge"})
    stranger.say("get_weather(city='Oslo')")


def command_the_server(stranger: Stranger, deployment: Deployment) -> None:
    """Send the messages that Streamlit's page sends for developers only, and bytes that are not a message."""
    for message in (
        BackMsg(clear_cache=True),
        BackMsg(load_git_info=True),
        BackMsg(set_run_on_save=True),
        BackMsg(debug_disconnect_websocket=True),
        BackMsg(debug_shutdown_runtime=True),
    ):
        stranger.send(message)
        stranger.receive()
    stranger.say(SHORT)


def overwhelm(stranger: Stranger, deployment: Deployment) -> None:
    """Send messages that are small on the wire, and large or a lie where they are handled."""
    many, line = 50_000, "\n2026-11-30 10:00:00,000 INFO forged\x1b[31m"
    ids = [f"{number}" for number in range(many)]
    widgets = WidgetStates(widgets=[WidgetState(id=each, trigger_value=True) for each in ids])
    names, operation = FileURLsRequest(file_names=[""] * many), BackendOperationRequest(request_id=line)
    for message in (
        BackMsg(file_urls_request=names),
        BackMsg(backend_operation_request=operation),
        BackMsg(rerun_script=ClientState(fragment_id=line)),
        BackMsg(rerun_script=ClientState(widget_states=widgets)),
        BackMsg(rerun_script=ClientState(cached_message_hashes=ids)),
        BackMsg(rerun_script=ClientState(query_string="&".join(ids))),
    ):
        before = len(stranger.seen)
        stranger.send(message)
        stranger.receive()
        assert len(stranger.seen) == before, "it is ignored"
    stranger.send(BackMsg(file_urls_request=FileURLsRequest(file_names=["a.txt"])))
    stranger.receive()
    assert stranger.shows("/_stcore/upload_file/")
    assert "\n2026-11-30 10:00:00,000 INFO forged" not in deployment.log.read_text()


def come_from_nowhere(stranger: Stranger, deployment: Deployment) -> None:
    """Name time zones and languages that there are not."""
    stranger.say(SHORT)
    stranger.press("regenerate_1")
    for zone in ("Mars/Phobos", "../../etc/passwd", "/etc/passwd", "\0", "Europe", "x" * 1_000):
        place = ContextInfo(timezone=zone, locale=zone, url="javascript:1")
        state = ClientState(widget_states=WidgetStates(), context_info=place)
        stranger.send(BackMsg(rerun_script=state))
        stranger.wait()
        stranger.use(inspector=True)
        assert not any(map(stranger.shows, ("ZoneInfo", "ValueError", "OSError", "IsADirectoryError")))


def come_from_another_site(stranger: Stranger, deployment: Deployment) -> None:
    address = f"127.0.0.1:{deployment.port}"
    for origin in (
        "https://attacker.example",
        "null",
        f"http://localhost.attacker.example:{deployment.port}",
    ):
        assert opened(address, f"localhost:{deployment.port}", origin) == 403
        headers = stranger.get("/_stcore/health", Origin=origin)[1]
        assert "access-control-allow-origin" not in headers


ATTEMPTS: dict[str, Attempt] = {
    "asks, regenerates, edits": everything,
    **{f"plays a forged recording that {ending}": partial(replay, ending) for ending in ENDINGS},
    "imports a chat": import_chat,
    "opens other chats": open_chats,
    "uses the owner's widgets": use_owners_widgets,
    "connects another server": connect_elsewhere,
    "tests the owner's connection": check_owners_connection,
    "sends files and speech": send_files,
    "guesses the token": guess_token,
    "forges headers": forge_headers,
    "requests files and metrics": request_paths,
    "reads the inspector": read_what_runs,
    "commands the server": command_the_server,
    "overwhelms the server": overwhelm,
    "comes from nowhere": come_from_nowhere,
    "comes from another site": come_from_another_site,
}


@pytest.mark.exhaustive
def test_the_owner_sees_what_no_stranger_may(deployment: Deployment) -> None:
    assert {"answer", "server"} <= set(deployment.leaks(deployment.owner))


@pytest.mark.exhaustive
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_stranger_uses_and_sees_nothing_of_the_owners(
    attempt: str, stranger: Stranger, deployment: Deployment
) -> None:
    before = len(deployment.model.received)
    ATTEMPTS[attempt](stranger, deployment)
    assert deployment.model.received[before:] == []
    assert deployment.leaks(stranger) == []


def test_the_demo_answers_a_stranger_who_seems_to_be_local(
    server: ModelServer, open_page: Open, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(HEADERS, "Host", "localhost:8599")  # the link of each port is printed once
    visit()
    page = ask(open_page({"token": "guess"}, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.url), "Hello")
    page.button(key="regenerate_1").click().run()
    assert not page.exception
    assert len(page.chat_message) == 2
    assert (server.received, KEY in sent(page)) == ([], False)


@pytest.mark.exhaustive
def test_after_all_attempts_the_owner_goes_on(deployment: Deployment, stranger: Stranger) -> None:
    for attempt in (command_the_server, use_owners_widgets):
        attempt(stranger, deployment)
    deployment.owner.seen = b""
    deployment.owner.use()
    assert deployment.owner.shows(QUESTION)
    assert deployment.owner.shows("Answers by")
