"""The undocumented parts of Streamlit that the page needs: a test for each use in ``streamlit_private``."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Block_pb2 import Block
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest
from websockets.sync.client import ClientConnection

from tests.browser.driver import serve
from tests.deploy.test_process import found
from tests.page_client import open_socket
from tests.paths import ROOT
from tests.ui.page import seen
from tests.ui.test_config import session
from tests.waiting import until

APP = """
import threading
import time
from pathlib import Path

import streamlit as st

from assistant.ui.streamlit_private import Expander, current_session_id, is_connected, rerun_session

GONE = Path(__file__).with_name("gone")
runs = st.session_state.setdefault("runs", [])
runs.append(len(runs) + 1)
st.text(f"run {runs[-1]}")
call = Expander("call-1", "**add**(…)", "step")
call.body.text("inside")
call.update("**add**(1, 2) · 3 ms", "complete")
Expander("call-2", "**pay**(…)", "step").update("**pay**(9) · needs approval", "waiting")
session_id = current_session_id()


def watch():
    rerun_session(session_id)
    while is_connected(session_id):
        time.sleep(0.01)
    GONE.touch()


if runs == [1]:
    threading.Thread(target=watch, daemon=True).start()
"""
FRAGMENT_APP = """
import time

import streamlit as st

from assistant.ui.streamlit_private import fragment_rerun_waits, rerun_fragment

counts = st.session_state.setdefault("counts", {"page": 0, "part": 0})
counts["page"] += 1


@st.fragment
def part():
    counts["part"] += 1
    if st.button("again", key="again"):
        rerun_fragment()
    if st.button("wait", key="wait"):
        st.text("waiting")
        while not fragment_rerun_waits():
            time.sleep(0.01)
    st.text(f"page {counts['page']}, part {counts['part']}")


@st.fragment
def other():
    counts["other"] = counts.get("other", 0) + 1
    st.button("elsewhere", key="elsewhere")
    st.text(f"other {counts['other']}, part {counts['part']}")


part()
other()
"""
SERVER_APP = """
import sys
import time

import streamlit as st

from assistant.ui.streamlit_private import harden_server


@st.cache_resource
def shared():
    return time.time_ns()


if "hardened" in sys.argv:
    harden_server()
st.text(f"shared {shared()}")
"""
SECONDS = 20


def serve_with_agent_api(folder: Path, app: str) -> Iterator[str]:
    """Serve an app with Streamlit's agent API, and yield its address."""
    (folder / "app.py").write_text(app)
    flags = ["--server.enableAgentApi=true"]
    for url in serve(folder, folder / "app.py", flags, PYTHONPATH=str(ROOT)):
        yield url.partition("//")[2].rstrip("/")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The address of a server that runs ``APP``."""
    yield from serve_with_agent_api(folder, APP)


@pytest.fixture(scope="module")
def fragment_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that runs ``FRAGMENT_APP``."""
    yield from serve_with_agent_api(tmp_path_factory.mktemp("fragment"), FRAGMENT_APP)


def get(address: str, method: str, path: str, body: str = "{}") -> str:
    connection = HTTPConnection(address, timeout=SECONDS)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        with connection.getresponse() as response:
            return response.read().decode()
    finally:
        connection.close()


# --- streaming --------------------------------------------------------------------------------------


def test_write_stream_calls_a_function_in_its_place() -> None:
    def script() -> None:
        import streamlit as st

        from assistant.ui.streamlit_private import Chunk, Chunks, end_text_block

        chunks: list[Chunk] = ["a", "b", lambda: st.caption("between"), "c", end_text_block, "d"]
        st.write_stream(Chunks(iter(chunks)))

    page = AppTest.from_function(script).run()
    elements = [seen(element) for element in page.main.children.values()]
    assert elements == [("markdown", "ab"), ("caption", "between"), ("markdown", "c"), ("markdown", "d")]


@pytest.mark.exhaustive
def test_write_stream_does_not_load_pandas_for_chunks() -> None:
    script = (
        "import sys, streamlit as st\n"
        "from assistant.ui.streamlit_private import Chunks\n"
        "assert st.write_stream(Chunks(iter(['a', 'b']))) == 'ab'\n"
        "print('pandas' in sys.modules)\n"
        "st.write_stream(iter(['a', 'b']))\n"
        "print('pandas' in sys.modules)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"], "the second is why the first is needed"


ended = threading.Event()


@pytest.mark.exhaustive
def test_a_waiting_script_can_be_ended_where_it_yields() -> None:
    def script() -> None:
        import time

        from assistant.ui.streamlit_private import yield_to_streamlit
        from tests.ui.test_streamlit_private import ended

        try:
            while True:
                time.sleep(0.01)
                yield_to_streamlit()
        finally:
            ended.set()

    ended.clear()
    with pytest.raises(RuntimeError, match="timed out"):  # AppTest then presses Stop
        AppTest.from_function(script, default_timeout=0.5).run()  # time for the script to begin
    assert ended.wait(SECONDS)


# --- expanders --------------------------------------------------------------------------------------


def test_an_expander_keeps_its_content_when_its_label_changes() -> None:
    def script() -> None:
        from assistant.ui.streamlit_private import Expander

        call = Expander("call-1", "**add**(…)", "step")
        call.body.text("inside")
        call.update("**add**(1, 2) · 3 ms", "complete")

    [expander] = AppTest.from_function(script).run().status
    assert (expander.label, expander.state) == ("**add**(1, 2) · 3 ms", "complete")
    assert [text.value for text in expander.text] == ["inside"]


def test_an_expander_never_says_that_it_is_open_or_closed() -> None:
    """So the browser leaves it as the user did."""

    def script() -> None:
        from assistant.ui.streamlit_private import Expander

        Expander("call-1", "running", "step")
        Expander("call-2", "", "step").update("complete", "complete")
        Expander("call-3", "", "compact").update("error", "error")

    page = AppTest.from_function(script).run()
    states = [(each.state, each.proto.HasField("expanded")) for each in page.status]
    assert states == [("running", False), ("complete", False), ("error", False)]


def test_an_expander_that_waits_has_an_icon_and_no_state() -> None:
    def script() -> None:
        from assistant.ui.streamlit_private import Expander

        Expander("call-1", "", "step").update("needs approval", "waiting")

    page = AppTest.from_function(script).run()
    assert [each.label for each in page.expander] == ["needs approval"]
    assert page.expander[0].icon == ":material/pan_tool:"


@pytest.mark.exhaustive
def test_an_expander_has_a_label_and_a_state_for_every_reader_of_the_page(address: str) -> None:
    page: dict[str, Any] = json.loads(get(address, "POST", "/_stcore/agent/interact"))
    assert page["status"] == "ready"
    [call] = found(page, "status")
    assert (call["key"], call["props"]) == (
        "call-1",
        {"label": "**add**(1, 2) · 3 ms", "state": "complete", "type": "step"},
    )
    assert [text["props"]["body"] for text in found(call, "text")] == ["inside"]
    [waiting] = found(page, "expander")
    assert (waiting["key"], waiting["props"]["label"]) == ("call-2", "**pay**(9) · needs approval")
    assert found(page, "expandable") == []


# --- fragments --------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_a_fragment_reruns_alone_or_with_the_page_as_it_runs(fragment_address: str) -> None:
    def texts(**request: Any) -> tuple[list[str], str]:
        page = json.loads(get(fragment_address, "POST", "/_stcore/agent/interact", json.dumps(request)))
        assert page["status"] == "ready", page
        return [text["props"]["body"] for text in found(page, "text")], page["session_id"]

    first, session_id = texts()
    assert first == ["page 1, part 1", "other 1, part 1"]
    again, _ = texts(session_id=session_id, trigger={"key": "again"})
    assert again == ["page 1, part 3", "other 1, part 1"], "it ran for the click, and once more"


@pytest.mark.exhaustive
def test_a_running_fragment_can_see_that_a_rerun_waits(fragment_address: str) -> None:
    texts: list[str] = []
    ids: dict[str, str] = {}
    fragments: dict[str, str] = {}
    with open_socket(fragment_address) as page:
        page_hash = session(page).page_script_hash

        def read_until(text: str) -> None:
            while text not in texts:
                delta = ForwardMsg.FromString(page.recv(SECONDS, decode=False)).delta
                texts.append(delta.new_element.text.body)
                if button := delta.new_element.button.label:
                    ids[button], fragments[button] = delta.new_element.button.id, delta.fragment_id

        def click(button: str) -> None:
            state = WidgetState(id=ids[button], trigger_value=True)
            client = ClientState(
                page_script_hash=page_hash,
                widget_states=WidgetStates(widgets=[state]),
                fragment_id=fragments[button],
            )
            page.send(BackMsg(rerun_script=client).SerializeToString())

        read_until("other 1, part 1")
        click("wait")
        read_until("waiting")
        click("again")
        read_until("page 1, part 4")  # only then the first run has ended
        texts.clear()
        click("wait")
        read_until("waiting")
        click("elsewhere")
        read_until("other 2, part 5")
        read_until("page 1, part 6")  # it ran again, after the other fragment


# --- the server -----------------------------------------------------------------------------------


@pytest.mark.exhaustive
@pytest.mark.parametrize("flags", [["--", "hardened"], []], ids=["hardened", "as it is"])
def test_a_client_cannot_clear_the_caches_of_all_sessions(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "app.py").write_text(SERVER_APP)

    def shared(page: ClientConnection) -> str:
        while True:
            message = ForwardMsg.FromString(page.recv(SECONDS, decode=False))
            assert message.WhichOneof("type") != "git_info_changed"
            if text := message.delta.new_element.text.body:
                return str(text)

    for url in serve(tmp_path, tmp_path / "app.py", flags, PYTHONPATH=str(ROOT)):
        address = url.partition("//")[2].rstrip("/")
        with open_socket(address) as own, open_socket(address) as attacker:
            session(own)
            before = shared(own)
            session(attacker)
            attacker.send(BackMsg(load_git_info=True).SerializeToString())
            attacker.send(BackMsg(clear_cache=True).SerializeToString())
            attacker.send(BackMsg(rerun_script=ClientState()).SerializeToString())
            shared(attacker)
            session(own)
            assert (shared(own) == before) is bool(flags)


# --- sessions -----------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_a_session_can_be_rerun_from_a_thread_until_its_browser_disconnects(
    address: str, folder: Path
) -> None:
    (folder / "gone").unlink(missing_ok=True)
    texts: list[str] = []
    expanders: list[Block] = []
    with open_socket(address) as page:
        session(page)
        while True:
            message = ForwardMsg.FromString(page.recv(SECONDS, decode=False))
            texts += filter(None, [message.delta.new_element.text.body])
            if message.delta.add_block.HasField("expandable"):
                expanders.append(message.delta.add_block)
            if message.WhichOneof("type") == "script_finished" and "run 2" in texts:
                break
        assert not (folder / "gone").exists()
    until((folder / "gone").exists)
    assert {block.id for block in expanders} == {"call-1", "call-2"}, "the browser knows it by its id"
    labels = [block.expandable.label for block in expanders if block.id == "call-1"]
    assert labels[-2:] == ["**add**(…)", "**add**(1, 2) · 3 ms"]


def test_an_input_in_the_bottom_container_does_not_make_streamlit_scroll_the_page() -> None:
    """Streamlit's own follower and that of ``assistant.ui.page.scrolling`` would be in each other's way."""

    def script() -> None:
        import streamlit as st

        with st.bottom:
            st.chat_input("Ask", key="prompt")

    page = AppTest.from_function(script).run()
    assert not page.exception
    assert [each.proto.is_auto_positioned_at_bottom for each in page.chat_input] == [False]
