"""Views: what the model reads, what the user sees and what is stored."""

import base64
import json
import subprocess
import sys
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from assistant import Thread, Toolbox, functions, tool
from assistant.events import RunCompleted, ToolCall, ToolResult, View
from assistant.messages import Message
from assistant.parts import Call
from assistant.storage.json_export import export_json, import_json
from assistant.storage.markdown_export import export_markdown
from assistant.storage.serialization import message_as_json, message_from_json
from assistant.storage.store import Store
from assistant.tools.execution import run_tool
from assistant.tools.view_checks import ViewError, validate_spec
from assistant.tools.views import MAX_VIEW_BYTES, Chart, Diagram, File, Map, split_result
from tests.conftest import Connect
from tests.paths import ROOT
from tests.servers.responses import ModelServer, call, calls, text
from tests.stored import load_stored
from tests.ui.page import Open, session_of

LINE: dict[str, Any] = {
    "title": "Growth",
    "data": {"values": [{"x": 1, "y": 2}, {"x": 2, "y": 4}]},
    "mark": "line",
    "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}},
}


def result_of(value: Any) -> ToolResult:
    """Return the result of a call of a function that returns this value."""

    @tool
    def give() -> Any:
        """Give it."""
        return value

    return run_tool(ToolCall("c1", "give", "{}"), Toolbox(give))


def table_of(value: Any) -> dict[str, Any]:
    """Return the table that the user sees of this value."""
    (view,) = result_of(value).views
    assert view.kind == "table"
    table: dict[str, Any] = json.loads(view.content)
    return table


def png(width: int = 3, height: int = 2) -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


# --- what the model reads ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "output"),
    [
        (
            pd.DataFrame({"city": ["Oslo", "Rome, Italy"], "low": [-3.5, None]}),
            "Shown to the user: a table of 2 rows and 2 columns.\nColumns: city (str), low (float64)\n"
            'All rows as CSV:\ncity,low\nOslo,-3.5\n"Rome, Italy",',
        ),
        (
            ("The cheapest is 48.", pd.Series([48, 96], name="eur")),
            "The cheapest is 48.\n\nShown to the user: a table of 2 rows and 1 column.\n"
            "Columns: eur (int64)\nAll rows as CSV:\neur\n48\n96",
        ),
        (
            pa.table({"a": [1, None], "day": [date(2026, 1, 1), None]}),
            "Shown to the user: a table of 2 rows and 2 columns.\nColumns: a (int64), day (date32[day])\n"
            "All rows as CSV:\na,day\n1,2026-01-01\n,",
        ),
        (pd.DataFrame(), "Shown to the user: a table of 0 rows and 0 columns.\nColumns: none"),
        (Chart(LINE), 'Shown to the user: a chart "Growth" of 2 rows of data.'),
        (
            alt.Chart(pd.DataFrame({"x": [1]})).mark_bar().encode(x="x"),
            "Shown to the user: a chart of 1 row of data.",
        ),
        (Map([(59.9, 10.7), {"lat": 48.9, "lon": 2.3}]), "Shown to the user: a map of 2 points."),
        (
            Map(pd.DataFrame({"Latitude": [1.0, None, 91], "Longitude": [2, 2, 2]})),
            "Shown to the user: a map of 1 point (2 more are left out).",
        ),
        (Image.new("RGB", (300, 200)), "Shown to the user: an image, 300 x 200 pixels."),
        (File("plot.png", png()), f'Shown to the user: an image, "plot.png", {len(png())} bytes.'),
        (File("a/b.csv", b"x\n" * 1_000), 'Shown to the user: a file, "a_b.csv", 2.0 kB.'),
        (Diagram("flowchart LR\n  A --> B"), "Shown to the user: a diagram of 2 lines."),
        (
            [{"rows": 2}, Diagram("pie\n  'a': 1"), None],
            '{"rows":2}\n\nShown to the user: a diagram of 2 lines.\n\nnull',
        ),
    ],
)
def test_the_model_reads_a_short_description_of_each_view(value: Any, output: str) -> None:
    result = result_of(value)
    assert (result.output, result.outcome, result.detail) == (output, "done", "")
    assert len(result.views) == 1


@pytest.mark.parametrize("value", ["text", [1, 2], (1, "a"), {"a": 1}, None, [], [[Map([(1, 2)])]] * 30])
def test_a_value_without_views_is_returned_unchanged(value: Any) -> None:
    assert split_result(value) == ([value], ())


def test_the_model_reads_the_shape_and_first_rows_of_a_large_table() -> None:
    output = result_of(pd.DataFrame({"n": np.arange(1_000_000), "half": 0.5})).output
    assert output.splitlines() == [
        "Shown to the user: a table of 1,000,000 rows and 2 columns.",
        "Columns: n (int64), half (float64)",
        "The first 20 rows as CSV:",
        "n,half",
        *(f"{number},0.5" for number in range(20)),
    ]


# --- tables on the page ------------------------------------------------------------------------------


class Awkward:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_every_cell_becomes_a_json_value_and_every_column_has_one_kind() -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, 2**70],
            "half": [float("inf"), float("nan")],
            "none": [None, pd.NA],
            "day": [date(2026, 1, 1), None],
            "time": [pd.Timestamp("2026-01-01", tz="UTC"), pd.NaT],
            "thing": [Awkward(), [1, 2]],
            "text": ["x\ud800", "y" * 2_000],
            "yes": [True, None],
            "wide": [np.int64(3), np.float32(0.5)],
        },
        dtype=object,
    )
    table = table_of(frame)
    assert table["columns"] == [
        ["whole", "text"],
        ["half", "number"],
        ["none", "text"],
        ["day", "date"],
        ["time", "datetime"],
        ["thing", "text"],
        ["text", "text"],
        ["yes", "bool"],
        ["wide", "number"],
    ]
    assert table["rows"] == [
        ["1", "inf", None, "2026-01-01", "2026-01-01T00:00:00+00:00", "<Awkward>", "x?", True, 3],
        [str(2**70), None, None, None, None, "[1, 2]", "y" * 999 + "…", None, 0.5],
    ]


def test_repeated_column_names_are_numbered_and_a_meaningful_index_is_a_column() -> None:
    twins = pd.DataFrame([[1, 2, 3, 4]], columns=["a", "a", "a (2)", "a"])
    assert [name for name, _ in table_of(twins)["columns"]] == ["a", "a (3)", "a (2)", "a (4)"]
    index = pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["k", None])
    columns = pd.MultiIndex.from_tuples([("p", "q"), ("p", "r")])
    deep = table_of(pd.DataFrame([[1, 2], [3, 4]], index=index, columns=columns))
    assert [name for name, _ in deep["columns"]] == ["k", "index", "p / q", "p / r"]
    assert deep["rows"] == [["x", 1, 1, 2], ["y", 2, 3, 4]]
    filtered = pd.DataFrame({"a": [1, 2, 3]})
    assert table_of(filtered[filtered.a > 1])["rows"] == [[2], [3]]


@pytest.mark.exhaustive
def test_a_large_table_is_cut_and_its_full_size_is_stored() -> None:
    tall = table_of(pd.DataFrame({"n": np.arange(20_000)}))
    assert (len(tall["rows"]), tall["count"], tall["width"]) == (5_000, 20_000, 1)
    wide = table_of(pd.DataFrame(np.zeros((2, 3_000))))
    assert (len(wide["columns"]), wide["count"], wide["width"]) == (50, 2, 3_000)
    heavy = result_of(pd.DataFrame({str(number): ["y" * 2_000] * 2_000 for number in range(50)}))
    assert len(heavy.views[0].content) < MAX_VIEW_BYTES / 2
    assert heavy.output.startswith("Shown to the user: a table of 2,000 rows and 50 columns.")


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        {"data": {"url": "https://example.com/data.json"}},
        {"layer": [{"data": {"url": "//example.com/data.json"}}]},
        {"transform": [{"lookup": "x", "from": {"data": {"url": "x.csv"}, "key": "x"}}]},
        {"mark": {"type": "image", "url": "https://example.com/a.png"}},
        {"mark": "image", "encoding": {"url": {"field": "picture"}}},
        {"data": {"values": [], "url": "x"}},
        {"layer": [{"datasets": {"data": {"url": "x"}}}]},
    ],
)
def test_a_chart_that_would_load_from_an_address_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ViewError):
        validate_spec({**LINE, **value})
    result = result_of(Chart({**LINE, **value}))
    assert result.views == ()
    assert result.output == (
        "Not shown to the user: a chart that loads from an address. Put its data into the chart itself."
    )


def test_a_chart_can_have_a_column_of_addresses() -> None:
    rows = [{"url": "https://example.com", "x": 1}]
    for data in ({"data": {"values": rows}}, {"data": {"name": "d"}, "datasets": {"d": rows}}):
        spec: dict[str, Any] = {"mark": "bar", "usermeta": {"embedOptions": {"patch": "https://x.y"}}} | data
        assert validate_spec(dict(spec)) == {"mark": "bar"} | data


@pytest.mark.parametrize(
    ("value", "output"),
    [
        (Chart({}), "a chart without a specification."),
        (
            alt.Chart(pd.DataFrame({"x": np.arange(5_001)})).mark_bar().encode(x="x"),
            "a chart with too many rows. Aggregate them first.",
        ),
        (
            Map([(100, 0), (float("nan"), 1), "ab", None, {"lat": 1}]),
            "a map without a point that has a latitude and a longitude.",
        ),
        (Diagram(" \n"), "an empty diagram."),
        (Diagram("x" * 50_001), "a diagram of 50,001 characters. Mermaid draws up to 50,000."),
        *(
            (
                Diagram(f"flowchart LR\n  {words}"),
                "a diagram that loads images or styles from an address. Leave them out.",
            )
            for words in (
                'A@{ img: "https://example.com/a.png" }',
                "A@{ shape: rect,\n 'img' : //example.com/a.png }",
                'A@{ "\\x69mg": "//example.com/a.png" }',
                "A[<img src='//example.com/a.png'>]",
                "style A fill:URL(//example.com/a.svg)",
            )
        ),
        (
            File("film.mp4", bytes(MAX_VIEW_BYTES + 1)),
            'a file, "film.mp4", 5.0 MB: it is too large. The views of one call can have 5 MB.',
        ),
    ],
)
def test_a_view_that_is_refused_does_not_fail_the_call(value: Any, output: str) -> None:
    result = result_of(value)
    assert (result.output, result.outcome, result.views) == (f"Not shown to the user: {output}", "done", ())


def test_the_views_of_a_call_have_a_common_size_limit() -> None:
    result = result_of([File("a", bytes(3_000_000)), File("b", bytes(3_000_000)), File("c", b"c")])
    assert [view.name for view in result.views] == ["a", "c"]
    assert result.output.split("\n\n")[1] == (
        'Not shown to the user: a file, "b", 3.0 MB: it is too large. The views of one call can have 5 MB.'
    )


def test_a_view_that_cannot_be_built_becomes_text() -> None:
    loop: dict[str, Any] = {"mark": "bar"}
    loop["layer"] = [loop]
    unfit: Any = 7
    for value in (Chart(loop), Map(7), File("x", unfit), Diagram(unfit)):
        result = result_of(value)
        assert (result.output, result.outcome, result.views) == (str(value), "done", ())


def test_a_large_image_is_scaled_down_and_an_unusual_mode_is_converted() -> None:
    (view,) = result_of(Image.new("CMYK", (4_000, 1_000))).views
    with Image.open(BytesIO(base64.b64decode(view.content))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (2_000, 500))


# --- storage ----------------------------------------------------------------------------------------

VIEWS = result_of(
    [
        pd.DataFrame({"n": [1, 2], "day": [date(2026, 1, 1), None], "x": [float("inf"), 0.5]}),
        Chart(LINE),
        Map([(59.9, 10.7)]),
        Image.new("RGB", (3, 2)),
        File("photo.png", png()),
        File("data.csv", b"a,b\n1,2\n"),
        Diagram("flowchart LR\n  A --> B"),
    ]
).views


def answer_with(views: tuple[View, ...]) -> Message:
    result = ToolResult("c1", "seven things", views=views)
    return Message("assistant", [Call("c1", "give", "{}", 1, result=result)])


def test_views_are_stored_and_exported_with_a_thread(tmp_path: Path) -> None:
    thread = Thread("t1", [Message.from_user("Give"), answer_with(VIEWS)])
    store = Store(f"sqlite:///{tmp_path}/threads.sqlite")
    store.save(thread)
    again = load_stored(store, "t1")
    store.close()
    assert again.messages == thread.messages
    imported, _ = import_json(export_json(thread, "Things"))
    assert imported.messages == thread.messages
    assert "**Shown** to the user: file `data.csv`" in export_markdown(thread, "Things")


def test_a_stored_result_without_views_is_loaded_and_a_damaged_view_is_refused() -> None:
    stored = message_as_json(answer_with(()))
    assert "views" not in stored["parts"][0]["result"]
    assert message_from_json(stored) == answer_with(())
    damaged = export_json(Thread(messages=[answer_with(VIEWS[:1])]), "").replace(
        '"kind": "table"', '"kind": "song"'
    )
    with pytest.raises(ValueError, match="its message 1 cannot be read"):
        import_json(damaged)


def test_views_are_never_sent_to_the_model(server: ModelServer, connect_to: Connect) -> None:
    data = png(200, 100)

    @tool
    def give() -> Any:
        """Give it."""
        return "A picture of the sea.", File("sea.png", data)

    item = call("give")
    server.plays(calls(item), text("There."), text("Yes."))
    assistant, thread = connect_to(server.url, give), Thread()
    results = [event for event in assistant.run(thread, "Draw") if isinstance(event, ToolResult)]
    assert [view.content for view in results[0].views] == [base64.b64encode(data).decode()]
    list(assistant.run(thread, "And?"))
    size = f'Shown to the user: an image, "sea.png", {len(data)} bytes.'
    assert server.requests[1]["input"] == [
        {
            "type": "function_call_output",
            "call_id": item["call_id"],
            "output": f"A picture of the sea.\n\n{size}",
        }
    ]
    assert results[0].views[0].content[:60] not in json.dumps(server.requests)


# --- the page ---------------------------------------------------------------------------------------


def draw(views: tuple[View, ...]) -> AppTest:
    """Draw the expander of a call with these views."""

    def script(result: "ToolResult") -> None:
        from assistant.ui.chat.calls.tool_call import ToolCallView
        from tests.ui.page import chat_of

        view = ToolCallView("give", "key", "", chat_of([]))
        view.start("{}")
        view.finish(result)

    return AppTest.from_function(script, args=(ToolResult("c1", "seven things", views=views),)).run()


def drawn(page: AppTest) -> list[str]:
    """Return the types of the elements below the step of the call."""
    [call] = page.main.children.values()
    _, views = call.children.values()
    return [element.type for element in views.children.values()]


def test_each_view_is_drawn_below_the_step_and_the_models_text_in_it() -> None:
    page = draw(VIEWS)
    assert not page.exception
    assert drawn(page) == [
        "dataframe",
        "vega_lite_chart",
        "vega_lite_chart",  # the map: on a grid, because streets would be loaded from elsewhere
        "image",
        "download_button",
        "image",
        "download_button",
        "download_button",
        "markdown",  # a fenced block, on the wire
    ]
    assert [each.value for each in page.status[0].caption] == ["Arguments", "Result sent to the model"]
    assert page.dataframe[0].value.to_dict("list") == {
        "n": [1, 2],
        "day": [date(2026, 1, 1), None],
        "x": [float("inf"), 0.5],
    }
    assert page.code[-1].value == "seven things"


@pytest.mark.parametrize(
    "view",
    [
        View("table", "", '{"columns": [["a", "date"]], "rows": [["soon"]], "count": 1, "width": 1}'),
        View("table", "", '{"columns": [["a", "text"]], "rows": [["x", "y"]], "count": 1, "width": 1}'),
        View("table", "", "[" * 100_000),
        View("chart", "", json.dumps({"data": {"url": "https://example.com"}, "mark": "bar"})),
        View("chart", "", '{"data": 7, "mark": {"datasets": 1}, "datasets": {"a": 1}}'),
        View("map", "", "[]"),
        View("map", "", '[["a", "b"]]'),
        View("image", "", base64.b64encode(b"\x89PNG\r\n\x1a\nno").decode()),
        View("image", "", base64.b64encode(b"<svg onload='alert(1)'></svg>").decode()),
        View("file", "x", "not base64 at all"),
        View("diagram", "", 'flowchart LR\n  A@{ img: "https://example.com/a.png" }'),
    ],
)
def test_a_damaged_view_shows_an_error_and_the_rest_is_drawn(view: View) -> None:
    page = draw((view, VIEWS[5]))
    assert not page.exception
    assert drawn(page) == ["caption", "download_button"]


def test_the_examples_table_and_chart_survive_a_reload(tmp_path: Path, open_page: Open) -> None:
    result = run_tool(ToolCall("c1", "hotel_prices", '{"city": "東京"}'), Toolbox.from_package(functions))
    assert [(view.kind, view.name) for view in result.views] == [
        ("chart", "Hotel prices in Tokyo"),
        ("table", ""),
    ]
    message = Message("assistant", [Call("c1", "hotel_prices", '{"city": "東京"}', 1, result=result)])
    database = f"sqlite:///{tmp_path}/threads.sqlite"
    store = Store(database)
    store.save(Thread("conv_1", [Message.from_user("Compare"), message]))
    store.close()
    page = open_page({"thread": "conv_1"}, ASSISTANT_DATABASE_URL=database)
    assert not page.exception
    assert list(page.dataframe[0].value.Hotel) == [
        "Nine Sparrows Hostel",
        "Lantern & Rail",
        "Hotel Quiet Crossing",
        "The Indigo Pagoda",
    ]
    assert len(page.get("vega_lite_chart")) == 1


# --- start ------------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_pandas_and_altair_are_loaded_only_by_a_function_that_uses_them() -> None:
    code = (
        "import sys; from assistant import Toolbox, functions; import assistant.tools.execution\n"
        "Toolbox.from_package(functions); assistant.tools.execution.split_result([1, 'a', {}])\n"
        "print([name for name in ('pandas', 'altair', 'pyarrow', 'PIL', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_map_shows_streets_only_where_a_setting_asks_for_it(
    server: ModelServer, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    [view] = result_of(Map([(59.9, 10.7), (48.9, 2.3)])).views
    page = open_page(OPENAI_BASE_URL=server.url)
    thread = session_of(page).thread
    thread.id, thread.messages = "conv_1", [Message.from_user("Where?"), answer_with((view,))]
    thread.messages[1].ending = RunCompleted()
    page.run()
    assert (len(page.get("vega_lite_chart")), len(page.get("deck_gl_json_chart"))) == (1, 0)
    monkeypatch.setenv("ASSISTANT_MAP_TILES", "1")
    page.run()
    assert (len(page.get("vega_lite_chart")), len(page.get("deck_gl_json_chart"))) == (0, 1)
