"""The server's own tools on the page: calls, sources, toggles, and the approval of a remote tool."""

import base64
import re

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from assistant.events import Citation
from assistant.ui import keys
from assistant.ui.chat.citations import Marks, Sources
from tests.servers import hosted
from tests.servers.responses import ModelServer, calls, cut, message, text
from tests.ui.page import Open, address, ask, label, shown

WIKI = "mcp:wiki=https://example.com/mcp"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


def marks(page: AppTest) -> list[str]:
    return [each.value for each in page.chat_message[-1].markdown]


def captions(page: AppTest) -> list[str]:
    return [each.value for each in page.chat_message[-1].caption if "Sources" in each.value]


def test_sources_are_numbered_in_the_text_and_listed_below_it(server: ModelServer, open_page: Open) -> None:
    words = message("Oslo is big. Paris too. And Oslo is cold.")
    sources = [
        hosted.url("Oslo](javascript:x)", "https://example.com/oslo?a=1&b=(2)", 12),
        hosted.url("Evil", "javascript:alert(1)", 23),
        hosted.url("Oslo again", "https://example.com/oslo?a=1&b=(2)", 41),
    ]
    server.plays(calls(hosted.web_search("big cities"), hosted.cited(words, *sources)))
    page = ask(
        open_page(OPENAI_BASE_URL=server.url, ASSISTANT_HOSTED_TOOLS="web_search"), "Which cities are big?"
    )
    where = "https://example.com/oslo?a=1&amp;b=%282%29"
    page.run()  # what is stored has each mark in its place, wherever the deltas were cut
    assert marks(page) == [
        f"Oslo is big.\u202f[\\[1\\]]({where}) Paris too.\u202f\\[2\\] "
        f"And Oslo is cold.\u202f[\\[1\\]]({where})"
    ]
    assert captions(page) == [
        f"Sources\n\n1. [Oslo\\]\\(javascript\\:x\\)]({where}) · example\\.com\n2. Evil"
    ]
    [search] = page.status
    assert (label(search), search.state) == ("**Searched the web** big cities", "complete")
    before = shown(page)
    assert shown(page.run()) == before
    st.cache_resource.clear()
    assert shown(open_page({"thread": address(page)})) == before


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("https://example.com", "1. [T](https://example.com) · example\\.com"),
        ("HTTP://EXAMPLE.com/%7Ea", "1. [T](HTTP://EXAMPLE.com/%7Ea) · example\\.com"),
        ("https://bücher.example/", "1. [T](https://b%C3%BCcher.example/) · xn\\-\\-bcher\\-kva\\.example"),
        ("https://good.example@evil.example", "1. T"),
        ("https://good.example\\@evil.example", "1. T"),
        ("https://a.example/\n![x](https://evil.example)", "1. T"),
        ("https://[", "1. T"),
        ("//example.com", "1. T"),
        ("data:text/html,x", "1. T"),
        ("", "1. T"),
    ],
)
def test_only_a_web_address_becomes_a_link(url: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    captions: list[str] = []
    monkeypatch.setattr(st, "caption", captions.append)
    sources = Sources("sources", no_file)
    mark = sources.mark(Citation(0, " T\n", url))
    sources.draw()
    assert captions == [f"Sources\n\n{line}"]
    assert mark == "\u202f" + (
        f"[\\[1\\]]({line[line.index('(') + 1 : line.index(')')]})" if "](" in line else "\\[1\\]"
    )


def no_file(container: str, file: str) -> bytes:
    raise AssertionError


@pytest.mark.parametrize(
    ("pieces", "seen"),
    [
        (["One.", 0, " Two"], "One.[1] Two"),
        (["One", 0, " two"], "One[1] two"),
        (["On", 0, "e two"], "One[1] two"),
        (["On", 0, 1, "", "e", " two"], "One[1][2] two"),
        (["On", 0], "On[1]"),
        (["東京", 0, "です"], "東京[1]です"),
        (["`x`", 0, " y"], "`x` y"),
        (["```\nx\n```", 0, "\ny"], "```\nx\n```\ny"),
        (["| a |", 0, "\n| b |"], "| a |\n| b |"),
        ([0, "One"], "[1]One"),
    ],
)
def test_a_mark_stands_at_the_end_of_a_word_and_in_no_code(pieces: list[str | int], seen: str) -> None:
    marks = Marks(Sources("sources", no_file))
    texts = [
        marks.feed(each) if isinstance(each, str) else marks.cite(Citation(0, "T", file_id=str(each)))
        for each in pieces
    ]
    assert "".join([*texts, marks.flush()]).replace("\u202f", "").replace("\\", "") == seen


def test_a_stored_answer_is_one_block_of_text(server: ModelServer, open_page: Open) -> None:
    server.plays(text("Hello!"))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hi")
    assert shown(page.run())[1] == ("assistant", [("markdown", "Hello!")])


def test_code_is_shown_with_its_output_images_and_files(server: ModelServer, open_page: Open) -> None:
    plot = {"type": "image", "url": "data:image/png;base64," + base64.b64encode(PNG).decode()}
    ran = hosted.code("print(1)", {"type": "logs", "logs": "1\n"}, plot)
    words = hosted.cited(message("Done."), hosted.container_file("a.csv", 5))
    server.plays(calls(ran, words))
    page = ask(open_page(OPENAI_BASE_URL=server.url, ASSISTANT_HOSTED_TOOLS="code_interpreter"), "Compute.")
    [step] = page.status
    assert (label(step), step.state) == ("**Ran code**", "complete")
    assert [each.value for each in step.code] == ["print(1)", "1"]
    assert len(page.get("image")) == 1
    server.files["cntr_1", "cfile_1"] = b"a,b\n"
    page.button(key="sources-1-0").click().run()
    assert not page.exception
    assert [each.proto.label for each in page.get("download_button")] == ["Save image\\.png", "Save a\\.csv"]
    server.files.clear()
    page.button(key="sources-1-0").click().run()
    assert [each.value.replace("\\", "") for each in page.error] == [
        "Could not fetch a.csv. The file is gone: the server keeps such files for 20 minutes."
    ]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("press", "approve"), [("run", True), ("deny", False)])
def test_a_remote_tool_has_an_approval_card(
    press: str, approve: bool, server: ModelServer, open_page: Open
) -> None:
    item = hosted.mcp_approval("wiki", "read", '{"about":"**Oslo**"}')
    server.plays(calls(item), text("Well."))
    page = ask(open_page(OPENAI_BASE_URL=server.url, ASSISTANT_HOSTED_TOOLS=WIKI), "Look it up.")
    [step] = [each for each in page.expander if "wiki" in each.label]
    assert label(step) == '**wiki: read**(about="**Oslo**") · needs approval'
    key = next(each.key for each in page.button if each.key and each.key.endswith("-run"))
    assert [each.label for each in page.button if each.key == key] == ["Allow"]
    assert not page.text_area
    page.button(key=key.replace("-run", f"-{press}")).click().run()
    assert not page.exception
    assert server.requests[1]["input"][0]["approve"] is approve
    assert label(page.status[0]).endswith(" · allowed by you" if approve else " · denied")
    assert marks(page) == ["Well."]


@pytest.mark.exhaustive
def test_toggles_decide_which_tools_are_requested(server: ModelServer, open_page: Open) -> None:
    server.plays(text("One."), text("Two."), text("Three."))
    tools = f"web_search, {WIKI}"
    page = ask(open_page(OPENAI_BASE_URL=server.url, ASSISTANT_HOSTED_TOOLS=tools), "1")
    assert [(each.key, each.value) for each in page.toggle if str(each.key).startswith("hosted_")] == [
        ("hosted_web_search", True),
        ("hosted_mcp_wiki", True),
    ]
    ask(page.toggle(key="hosted_mcp_wiki").set_value(False).run(), "2")
    ask(page.toggle(key="hosted_mcp_wiki").set_value(True).run(), "3")
    requested = [
        [tool["type"] for tool in each["tools"] if tool["type"] != "function"] for each in server.requests
    ]
    assert requested == [["web_search", "mcp"], ["web_search"], ["web_search", "mcp"]]
    conversations = {each["conversation"] for each in server.requests}
    assert len(conversations) == 1


def test_a_connection_without_hosted_tools_has_no_toggles(server: ModelServer, open_page: Open) -> None:
    page = open_page(OPENAI_BASE_URL=server.url)
    assert not [each for each in page.toggle if str(each.key).startswith("hosted_")]
    page = open_page(OPENAI_BASE_URL=server.url, ASSISTANT_PROTOCOL="chat", ASSISTANT_HOSTED_TOOLS=WIKI)
    assert not [each for each in page.toggle if str(each.key).startswith("hosted_")]


def test_file_search_in_attachments_and_in_a_store_are_two_toggles(
    server: ModelServer, open_page: Open
) -> None:
    page = open_page(OPENAI_BASE_URL=server.url, ASSISTANT_HOSTED_TOOLS="file_search, file_search:vs_1")
    assert [
        (each.key, each.label, each.value) for each in page.toggle if str(each.key).startswith("hosted_")
    ] == [
        ("hosted_file_search", "File search", True),
        ("hosted_file_search_vs_1", "File search in vs\\_1", True),
    ]


@pytest.mark.exhaustive
def test_the_demo_shows_every_hosted_tool_without_a_key(open_page: Open) -> None:
    page = ask(open_page(), "Search the web for Kyoto")
    [words] = marks(page)
    assert re.findall(r"\[\\\[\d\\\]\]\([^)]*\)", words) == [
        "[\\[1\\]](https://example.com/page/1)",
        "[\\[2\\]](https://example.com/page/2)",
    ]
    assert len(captions(page)) == 1
    [step] = ask(page, "Pythonで素数を数えて").chat_message[-1].status
    program, printed = (each.value for each in step.code)
    assert program.startswith("primes = [")
    assert printed == "25 primes, the largest is 97"
    ask(page, "Paint the sea")
    assert len(page.get("image")) == 1
    ask(page, "オスロについて図書館に聞いて")
    page.button(
        key=next(str(each.key) for each in page.button if str(each.key).endswith("-run"))
    ).click().run()
    assert marks(page) == ["図書館の答え：オスロについての本が3冊あります（この図書館はデモの一部です）。"]
    before = shown(page)
    assert shown(page.run()) == before


def test_the_demo_answers_in_the_background(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_BACKGROUND", "1")
    page = ask(open_page(), 'calculate(expression="6*7")')
    assert "42" in "".join(words for _, words in shown(page)[-1][1])
    [recording] = page.session_state[keys.PAGE].session.recordings
    assert "response.queued" in recording.as_lines()


def test_without_its_tools_the_demo_searches_neither_web_nor_files(open_page: Open) -> None:
    page = open_page()
    for tool in ("web_search", "mcp_library"):
        page.toggle(key=f"hosted_{tool}").set_value(False).run()
    ask(ask(page, "Search the web for Kyoto"), "Ask the library about Oslo")
    assert not page.status
    assert not page.exception


def test_an_interrupted_hosted_call_is_shown_as_stopped_and_can_be_retried(
    server: ModelServer, open_page: Open
) -> None:
    whole = calls(hosted.code("print(1)"), message("Done."), pieces=1)
    server.plays(cut(whole, 5, "close"), text("Again."))
    page = ask(open_page(OPENAI_BASE_URL=server.url, ASSISTANT_HOSTED_TOOLS="code_interpreter"), "Compute.")
    [step] = page.status
    assert (label(step), step.state) == ("**Writing and running code** · stopped", "error")
    assert [each.value for each in step.code] == ["print(1)"]
    page.button(key="retry").click().run()
    assert marks(page) == ["Again."]
    assert not page.exception
