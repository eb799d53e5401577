"""Take the pictures of the READMEs and of docs/function-calling.md from the real page.

Run ``python .github/pictures.py`` at the root; names of pictures (``chat request``) take only these.

It needs what the browser tests need (``.ci/requirements.txt``, Debian's chromium, fonts-noto-cjk). The demo
answers. A local server replaces Open-Meteo, so that the pictures do not change with the weather.

Look at the pictures before you commit them, at the animation frame by frame.
"""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
INPUT = "[data-testid=stChatInputTextArea]"
MESSAGE = "[data-testid=stChatMessage]"
EXCHANGE = f"{MESSAGE}, [class*=st-key-approve-], [class*=st-key-waiting-]"
SHORT_QUESTION = "Compare the weather in Tokyo and Paris"
QUESTION = "Compare the weather in Tokyo and Paris, then find a hotel in the warmer city"
IN_JAPANESE = "東京とパリの天気を比べて、暖かい方の都市のホテルを探して"
PLACES = {
    "tokyo": ("Tokyo", "Japan", 35.7),
    "東京": ("東京", "日本", 35.7),
    "paris": ("Paris", "France", 48.9),
}
PLACES |= {"パリ": ("パリ", "フランス", 48.9)}
CONDITIONS = {"weather_code": 2, "wind_speed_10m": 9.4, "relative_humidity_2m": 58}

TOKEN = "pictures-of-the-page"

PAGE = """
import sys
import assistant.functions.open_meteo as open_meteo
open_meteo.GEOCODING_HOST = open_meteo.FORECAST_HOST = sys.argv.pop(1)
from streamlit.web.cli import main
sys.argv[0] = "streamlit"
main()
"""


class WeatherServer(BaseHTTPRequestHandler):
    """A server with invented weather."""

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        reply: dict[str, Any] = {}
        if "name" in query and (found := PLACES.get(query["name"].lower())):
            reply["results"] = [dict(zip(("name", "country", "latitude"), found, strict=True), longitude=1.0)]
        elif "latitude" in query:
            warm = query["latitude"].startswith("35")
            time.sleep(1.1 if warm else 0.6)  # as the network would
            now = "2026-11-24T07:30" if warm else "2026-11-23T23:30"
            reply["current"] = {"time": now, "temperature_2m": 14.2 if warm else 8.6, **CONDITIONS}
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serve_page() -> Iterator[str]:
    """Run the page with the demo and yield its URL, with the token of a local user."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadingHTTPServer(("127.0.0.1", 0), WeatherServer) as weather_server,
    ):
        threading.Thread(target=weather_server.serve_forever, daemon=True).start()
        prefixes = ("OPENAI_", "ASSISTANT_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
        environment |= {"ASSISTANT_DATABASE_URL": f"sqlite:///{folder}/threads.sqlite", "PYTHONPATH": "."}
        environment |= {"ASSISTANT_LOCAL_TOKEN": TOKEN}
        command = [sys.executable, "-c", PAGE, f"http://127.0.0.1:{weather_server.server_address[1]}", "run"]
        command += [
            "streamlit_app.py",
            "--server.port=0",
            "--server.headless=true",
            "--server.address=127.0.0.1",
        ]
        command += ["--server.fileWatcherType=none"]
        with subprocess.Popen(
            command, cwd=HERE.parent, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                url = next(line.split("URL:")[1].strip() for line in process.stdout if "URL:" in line)
                yield f"{url}?token={TOKEN}"
            finally:
                process.terminate()
                process.communicate()
                weather_server.shutdown()


def open_page(browser: Browser, url: str, width: int, height: int, **options: Any) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, **options)
    page.goto(url)
    page.locator(INPUT).wait_for()
    page.wait_for_selector("[data-test-script-state=notRunning]")
    return page


def wait_for_answer(page: Page) -> None:
    """Wait for the line below the answer, which is drawn last."""
    page.locator(".st-key-actions_1").wait_for()
    page.wait_for_selector("[data-test-script-state=notRunning]")
    page.wait_for_timeout(800)


def send(page: Page, text: str) -> None:
    page.fill(INPUT, text)
    page.keyboard.press("Enter")
    wait_for_answer(page)
    page.locator("[data-testid=stMain]").evaluate("main => { main.scrollTop = 0 }")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)


def save_screenshot(page: Page, name: str, colors: int = 128, *, exchange: bool = False) -> None:
    """Save a screenshot with few colours, of the whole page or of the messages alone."""
    picture = Image.open(io.BytesIO(page.screenshot(clip=box_of_exchange(page) if exchange else None)))
    picture = picture.convert("RGB")
    picture.quantize(colors, dither=Image.Dither.NONE).save(HERE / name, optimize=True)


def box_of_exchange(page: Page) -> Any:
    """Return the part of the page from the first message to the last one, to the cards of its calls or to the queue."""
    return page.evaluate(
        """selector => {
            const boxes = [...document.querySelectorAll(selector)].map(each => each.getBoundingClientRect())
            const [left, right] = [Math.min(...boxes.map(b => b.left)), Math.max(...boxes.map(b => b.right))]
            const [top, bottom] = [Math.min(...boxes.map(b => b.top)), Math.max(...boxes.map(b => b.bottom))]
            return {x: left - 12, y: top - 12, width: right - left + 24, height: bottom - top + 24}
        }""",
        EXCHANGE,
    )


def save_animation(page: Page, name: str) -> None:
    """Type the question, and save screenshots until the answer is complete as an animation."""
    frames: list[tuple[float, bytes]] = []
    browser = page.context.new_cdp_session(page)  # faster than ``screenshot``
    page.locator(INPUT).press_sequentially(QUESTION[:-1])
    started, sent = time.monotonic(), False
    ended = float("inf")
    while time.monotonic() < ended:
        at = time.monotonic() - started
        shot = browser.send("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True})
        frames.append((at, base64.b64decode(shot["data"])))
        if not sent and frames[-1][0] > 0.5:
            sent = True
            page.keyboard.type(QUESTION[-1])
            page.keyboard.press("Enter")
        if sent and ended == float("inf") and page.locator(".st-key-actions_1").count():
            ended = time.monotonic() + 0.8
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for _, data in frames]
    # One palette for all frames, of the most frequent colours; otherwise static areas flicker.
    count: Counter[Any] = Counter()
    for picture in pictures[:: len(pictures) // 5]:
        count.update({color: number for number, color in picture.getcolors(1 << 24)})
    boxes: dict[tuple[int, ...], tuple[int, ...]] = {}  # Pillow compares the upper bits only
    for color, _ in count.most_common():
        boxes.setdefault(tuple(part // 8 for part in color), color)
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for color in list(boxes.values())[:256] for part in color])
    frames_drawn = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    times = [at for at, _ in frames]
    durations = [round((after - at) * 1000) for at, after in pairwise(times)] + [1500]
    frames_drawn[0].save(
        HERE / name, save_all=True, append_images=frames_drawn[1:], duration=durations, loop=0, optimize=True
    )
    print(f"{len(frames_drawn)} pictures in {sum(durations) / 1000:.1f} s")


STEPS = {
    "call": "What time is it in Oslo?",
    "parallel": QUESTION,
    "approval": "Book the cheapest hotel in Kyoto for Ada Lovelace, 2 nights from tomorrow",
    "background": "Search fares to Oslo and write me a packing list meanwhile",
    "send-now": QUESTION,
    "free-text": "Query the database with SQL",
    "program": "Find the cheapest hotel in Paris and Oslo with a program",
    "tool-search": "Convert 100 euros to yen",
    "reasoning": "Think: which city is warmer, Tokyo or Paris?",
}
"""The steps of docs/function-calling.md and what the user asks in each."""

OPENED = ("call", "free-text", "program", "tool-search", "reasoning")
"""The pictures in which the first expander is opened."""

LIVE = ("background", "send-now")
"""The pictures that are taken while the answer is being written."""

PANELS = {"request": "Request", "cost": "Run log"}
"""The pictures of the page with its inspector, and the tab that is open."""

STEPS_FOLDER = HERE.parent / "docs" / "pictures"


def save_step(page: Page, name: str, question: str) -> None:
    """Ask, and save a picture of the exchange. The window is so high that nothing has to be scrolled."""
    page.fill(INPUT, question)
    page.keyboard.press("Enter")
    if name == "background":
        page.get_by_text("To carry").wait_for()
    elif name == "send-now":
        page.locator(".st-key-stop").wait_for()
        page.fill(INPUT, "Only hotels with 4 stars")
        page.keyboard.press("Enter")
        page.get_by_text("Send now").first.wait_for()
    elif name == "approval":
        page.locator("[class*=st-key-call-]").first.wait_for()
        page.get_by_text("Waiting for your approval").first.wait_for()
        page.wait_for_timeout(800)
    else:
        wait_for_answer(page)
    if name in OPENED:
        page.locator("[data-testid=stExpander] summary").first.click()
    page.mouse.move(0, 0)
    page.wait_for_timeout(300 if name in LIVE else 700)
    save_screenshot(page, f"../docs/pictures/{name}.png", exchange=True)


def save_panel(page: Page, name: str, tab: str) -> None:
    """Ask for an answer in JSON, or ask twice and look at the costs; save a picture with the inspector."""
    page.locator(".st-key-inspector label").first.click()
    page.locator(".st-key-inspector_tab button", has_text="Request").click()
    page.locator(".st-key-request_text_format button", has_text="JSON object").click()
    page.get_by_text("1 parameter differs from the settings").first.wait_for()
    send(page, "Find hotels in Oslo, as JSON")
    page.locator(".st-key-inspector_tab button", has_text=tab).click()
    if name == "cost":
        page.locator(".st-key-inspector_view button", has_text="Cost").click()
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)
    save_screenshot(page, f"../docs/pictures/{name}.png")


def is_wanted(name: str) -> bool:
    """Return whether to take a picture: it is named on the command line, or none is."""
    return len(sys.argv) == 1 or name in sys.argv


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        if is_wanted("answer"):
            with serve_page() as url:
                page = open_page(browser, url, 720, 690)
                save_animation(page, "answer.gif")
        if is_wanted("chat"):
            with serve_page() as url:
                page = open_page(browser, url, 1360, 940, device_scale_factor=1.5)
                page.locator(".st-key-inspector label").first.click()
                page.locator(".st-key-inspector_side").wait_for()
                send(page, SHORT_QUESTION)
                save_screenshot(page, "chat.png")
        if is_wanted("phone"):
            with serve_page() as url:
                page = open_page(browser, url, 390, 700, device_scale_factor=2, color_scheme="dark")
                send(page, SHORT_QUESTION)
                page.locator(MESSAGE).first.evaluate(
                    "message => { message.style.scrollMarginTop = '4.5rem'; message.scrollIntoView() }"
                )
                page.wait_for_timeout(500)
                save_screenshot(page, "phone.png")
        if is_wanted("chat.ja"):
            with serve_page() as url:
                page = open_page(browser, url, 1120, 1100, device_scale_factor=1.5, locale="ja-JP")
                send(page, IN_JAPANESE)
                save_screenshot(page, "chat.ja.png")
        STEPS_FOLDER.mkdir(exist_ok=True)
        for name in filter(is_wanted, STEPS):
            with serve_page() as url:
                height = 640 if name == "send-now" else 1600
                save_step(open_page(browser, url, 760, height, device_scale_factor=1.5), name, STEPS[name])
        for name in filter(is_wanted, PANELS):
            with serve_page() as url:
                save_panel(open_page(browser, url, 1280, 1080, device_scale_factor=1.5), name, PANELS[name])
        browser.close()
    for path in (*sorted(HERE.glob("*.[gp][in][fg]")), *sorted(STEPS_FOLDER.glob("*.png"))):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
