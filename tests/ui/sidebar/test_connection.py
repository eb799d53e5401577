"""The dialog in which a connection is chosen and tested."""

from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from assistant import Assistant, Thread, Toolbox
from assistant.backends import open_backend
from assistant.backends.connection.local_servers import LocalServer, find_local_servers
from assistant.backends.connection.override import ConnectionOverride, display_host
from assistant.settings import Settings
from assistant.ui.sidebar import connection
from assistant.ui.sidebar.connection import PROVIDERS, ConnectionDialog
from tests.servers.chat_completions import ChatServer
from tests.servers.listing import KEY, ListingServer, closed_port, port_of
from tests.servers.responses import error, text
from tests.ui.page import sent, state_in


@pytest.fixture
def server() -> Iterator[ListingServer]:
    with ListingServer() as server:
        yield server


def _app() -> None:
    import streamlit as st

    from assistant.ui.sidebar.connection import draw_connection
    from tests.ui.page import chat_of

    chat = st.session_state.setdefault("chat", chat_of([]))
    chat.connection.configured, chat.connection.is_localhost = (
        st.session_state["settings"],
        st.session_state["localhost"],
    )
    with st.sidebar:
        draw_connection(chat)


Panel = Callable[..., AppTest]


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Panel:
    """Opens the panel for a local or remote visitor; ``ports`` are those of the local servers."""

    def opened(settings: Settings, localhost: bool = True, **ports: int) -> AppTest:
        monkeypatch.setattr(connection, "find_local_servers", lambda: find_local_servers(5, ports))
        monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: localhost)
        page = AppTest.from_function(_app, default_timeout=20)
        page.session_state["settings"] = settings
        page.session_state["localhost"] = localhost
        return open_again(page)

    return opened


def open_again(page: AppTest) -> AppTest:
    page.run()
    return checked(page.button(key="open_connection").click().run())


def checked(page: AppTest) -> AppTest:
    """Return the page after checking that it shows no exception and sends no key to the browser."""
    assert not page.exception
    assert KEY not in sent(page)
    return page


def choose(page: AppTest, kind: str) -> AppTest:
    return checked(page.radio(key="connection").set_value(kind).run())


def enter(page: AppTest, **values: str) -> AppTest:
    """Type into inputs of the form; nothing is sent before a button is pressed."""
    for name, value in values.items():
        page.text_input(key=f"connection_{name}").set_value(value)
    return page


def press(page: AppTest, button: str) -> AppTest:
    return checked(page.button(key=f"connection_{button}").click().run())


def choice_of(page: AppTest) -> ConnectionOverride | None:
    choice: ConnectionOverride | None = page.session_state["chat"].connection.override
    return choice


def test_without_the_dialog_the_current_connection_is_shown(panel: Panel) -> None:
    page = panel(Settings(base_url="http://me:secret@here:1234/v1", model="a_b"))
    state_in(page, ConnectionDialog).is_open = False
    page.run()
    assert [item.value for item in page.caption] == ["a\\_b at here\\:1234 · Responses"]
    assert (len(page.radio), [button.key for button in page.button]) == (0, ["open_connection"])


def test_local_servers_are_searched_only_while_the_dialog_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look() -> list[LocalServer]:
        looked.append("here")
        return []

    monkeypatch.setattr(connection, "find_local_servers", look)
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    page = AppTest.from_function(_app)
    page.session_state["settings"] = Settings()
    page.session_state["localhost"] = True
    page.run().run()
    assert looked == []
    open_again(page)
    choose(page, "local")
    assert looked == ["here"]
    press(page, "refresh")
    assert looked == ["here", "here"]


def test_the_demo_can_be_chosen_and_left(server: ListingServer, panel: Panel) -> None:
    settings = Settings(api_key=KEY, base_url=server.url, protocol="chat")
    page = choose(panel(settings), "demo")
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(demo=True)
    assert page.caption[0].value == "Built\\-in demo · Responses"
    assert not page.radio, "it is closed"
    open_again(page)
    assert page.radio(key="connection").value == "demo"
    press(choose(page, "configured"), "use")
    assert choice_of(page) is None


@pytest.mark.parametrize("button", ["test", "use"])
def test_the_dialog_starts_to_look_for_the_protocol_again(
    server: ListingServer, panel: Panel, button: str
) -> None:
    page = panel(Settings(api_key=KEY, base_url=server.url))
    with ChatServer() as old:
        backend = open_backend(Settings(base_url=old.url))
        page.session_state["chat"].connection.backend = backend
        old.plays(text("Hello."))
        list(Assistant(backend, Toolbox()).run(Thread(), "Hi"))
        found = [backend.protocol]
        server.plays(*[text("Hello.")] * 2 * (button == "test"))
        press(page, button)
        assert [*found, backend.protocol] == ["chat", "auto"]
        backend.close()


def test_a_custom_url_is_chosen_with_a_listed_model(server: ListingServer, panel: Panel) -> None:
    server.key = KEY
    page = choose(panel(Settings(api_key="sk-owner", model="gpt-6-luna")), "url")
    press(enter(page, url=server.url), "use")
    assert "does not accept the key" in page.error[0].value
    press(enter(page, url_key=KEY), "use")
    model = page.selectbox(key="connection_model")
    assert (model.options, model.value) == (["gpt-4o", "gpt-6-luna"], "gpt-6-luna")
    page.selectbox(key="connection_effort").set_value("high")
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, KEY, "gpt-6-luna", "high")
    open_again(page)
    assert page.radio(key="connection").value == "url"
    assert page.text_input(key="connection_url").value == server.url
    assert page.text_input(key="connection_url_key").value == ""
    assert page.text_input(key="connection_url_key").placeholder == "The key in use"
    assert page.selectbox(key="connection_effort").value == "high"
    page.selectbox(key="connection_model").set_value("gpt-4o")
    press(page, "use")
    open_again(page)
    assert page.warning[0].value.replace("\\", "") == (
        ":small[gpt-4o will be shut down on 2999-01-14. Choose another model before then.]"
    )
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, KEY, "gpt-4o")


def test_a_websocket_connection_is_chosen_for_one_server(server: ListingServer, panel: Panel) -> None:
    page = choose(panel(Settings(api_key="sk-owner", model="gpt-6-luna")), "url")
    press(enter(page, url=server.url), "use")
    transport = page.selectbox(key="connection_transport")
    assert (transport.options, transport.value) == (["HTTP", "WebSocket"], "http")
    transport.set_value("websocket")
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, "", "gpt-6-luna", transport="websocket")
    open_again(page)
    assert page.selectbox(key="connection_transport").value == "websocket"
    choose(page, "openai")
    assert page.selectbox(key="connection_transport").value == "http"


def test_the_owners_key_is_sent_to_no_other_address(server: ListingServer, panel: Panel) -> None:
    server.plays(text("Hello."), text("No."))
    page = choose(panel(Settings(api_key=KEY, model="gpt-6-luna")), "url")
    press(enter(page, url=server.url), "test")
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, "", "gpt-6-luna")
    assert [headers["authorization"] for headers in server.headers] == ["Bearer none", "Bearer none"]


def test_a_key_for_openai_is_not_offered_to_another_address(
    server: ListingServer, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.backends.client.OPENAI_URL", server.url)
    server.key = KEY
    page = choose(panel(Settings()), "openai")
    press(page, "use")
    assert page.error[0].value == ":small[Enter your API key\\.]"
    server.plays(text("Hello."), text("No."))
    press(enter(page, key=KEY), "test")
    assert page.selectbox(key="connection_model").options == ["gpt-4o", "gpt-6-luna"]
    choose(page, "url")
    press(enter(page, url=server.url), "use")
    assert page.text_input(key="connection_url_key").value == ""
    assert "does not accept the key" in page.error[0].value
    assert choice_of(page) is None
    choose(page, "openai")
    press(enter(page, key=KEY), "use")
    assert choice_of(page) == ConnectionOverride("", KEY, "gpt-6-luna")
    assert page.caption[0].value.replace("\\", "") == "gpt-6-luna at api.openai.com · Responses"


def test_a_local_server_can_be_chosen(server: ListingServer, panel: Panel) -> None:
    server.body = {"object": "list", "data": [{"id": "qwen3:8b"}]}
    page = choose(
        panel(Settings(api_key=KEY, protocol="chat"), Ollama=port_of(server), vLLM=closed_port()), "local"
    )
    assert page.selectbox(key="connection_local").options == [f"Ollama ({display_host(server.url)})"]
    assert page.selectbox(key="connection_model").value == "qwen3:8b"
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, "", "qwen3:8b")
    open_again(page)
    assert page.radio(key="connection").value == "local"


def test_without_a_local_server_the_search_can_be_repeated(panel: Panel) -> None:
    page = choose(panel(Settings()), "local")
    assert page.caption[-1].value.startswith("No local server found")
    assert [button.key for button in page.button] == ["open_connection", "connection_refresh"]


def test_another_model_of_the_configured_server_can_be_chosen(server: ListingServer, panel: Panel) -> None:
    page = panel(Settings(api_key=KEY, base_url=server.url, model="gpt-6-luna", protocol="responses"))
    press(page, "use")
    assert choice_of(page) is None
    open_again(page)
    page.selectbox(key="connection_model").set_value("gpt-4o")
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, KEY, "gpt-4o")
    open_again(page)
    assert page.radio(key="connection").value == "configured"
    assert page.selectbox(key="connection_model").value == "gpt-4o"


def test_test_results_are_shown_until_another_connection_is_chosen(
    server: ListingServer, panel: Panel
) -> None:
    server.plays(text("Hello."), text("No, *never*."))
    page = press(panel(Settings(api_key=KEY, base_url=server.url, model="gpt-6-luna")), "test")
    marks = [":green[:material/check_circle:]"] * 4 + [":orange[:material/info:]"]
    shown = [item.value for item in page.markdown]
    assert [item.split(" ")[0] for item in shown] == [*marks, ":green[:material/check_circle:]"]
    assert shown[1] == ":green[:material/check_circle:] :small[The key is accepted\\.]"
    checked(page.run())
    assert [item.value for item in page.markdown] == shown
    choose(page, "demo")
    assert not page.markdown


def test_text_from_the_server_is_escaped(server: ListingServer, panel: Panel) -> None:
    server.body = {"data": [{"id": "![x](http://evil/)<b>", "shutdown_date": "2999-01-01"}]}
    server.plays(error(400, None, f"![x](http://evil/) {KEY}"))
    page = choose(panel(Settings()), "url")
    press(enter(page, url=server.url, url_key=KEY), "test")
    assert "](" not in " ".join(item.value for item in [*page.markdown, *page.warning, *page.caption])
    assert page.markdown[-1].value.startswith(":red[:material/cancel:] ")


def test_an_invalid_address_and_a_missing_model_are_reported(server: ListingServer, panel: Panel) -> None:
    server.body = {"data": []}
    page = choose(panel(Settings()), "url")
    for url in ("", KEY):
        press(enter(page, url=url), "use")
        assert page.error[0].value.startswith(":small[This is not a valid address")
    press(enter(page, url=server.url), "test")
    assert page.error[0].value == ":small[Choose or enter a model\\.]"
    assert choice_of(page) is None


def test_a_failure_is_reported_once(panel: Panel) -> None:
    page = choose(panel(Settings()), "url")
    enter(page, url=f"http://127.0.0.1:{closed_port()}/v1")
    for button in ("use", "test"):
        press(page, button)
        shown = [*page.error, *page.warning, *page.caption[1:], *page.markdown]
        assert ["cannot be reached" in item.value for item in shown] == [True]
    assert choice_of(page) is None


def test_a_server_with_several_models_is_used_after_the_user_has_seen_which(
    server: ListingServer, panel: Panel
) -> None:
    page = choose(panel(Settings()), "url")
    press(enter(page, url=server.url, url_key=KEY), "use")
    assert choice_of(page) is None
    assert page.selectbox(key="connection_model").value == "gpt-6-luna"
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, KEY, "gpt-6-luna")


def test_a_remote_visitor_cannot_choose_an_address(panel: Panel) -> None:
    page = panel(Settings(api_key=KEY, model="gpt-6-luna"), localhost=False)
    assert page.radio(key="connection").options == [
        PROVIDERS[kind] for kind in ("configured", "demo", "openai")
    ]
    assert not page.selectbox, "the owner pays for the model"
    press(page, "use")
    assert choice_of(page) is None
