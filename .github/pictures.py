"""Makes the pictures of the READMEs anew, from the real page: ``python .github/pictures.py`` at the root.

It needs what the browser tests need (``.ci/requirements.txt``, Debian's chromium, fonts-noto-cjk). The demo
answers; in place of Open-Meteo a server on this machine tells an invented weather, so that the pictures do
not change with the sky.

Not here: looking at what comes out. Do that yourself, at the moving one frame by frame.
"""

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
QUESTION = "What's the weather in Tokyo and Paris, and then find me a hotel under 100 euros in the warmer one"
IN_JAPANESE = "東京とパリの天気を教えて。それから暖かい方のホテルを探して"
PLACES = {
    "tokyo": ("Tokyo", "Japan", 35.7),
    "東京": ("東京", "日本", 35.7),
    "paris": ("Paris", "France", 48.9),
}
PLACES |= {"パリ": ("パリ", "フランス", 48.9)}
SKY = {"weather_code": 2, "wind_speed_10m": 9.4, "relative_humidity_2m": 58}

PAGE = """
import sys
import assistant.functions.open_meteo as open_meteo
open_meteo.GEOCODING_HOST = open_meteo.FORECAST_HOST = sys.argv.pop(1)
from streamlit.web.cli import main
sys.argv[0] = "streamlit"
main()
"""


class Sky(BaseHTTPRequestHandler):
    """The invented weather."""

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        answer: dict[str, Any] = {}
        if "name" in asked and (found := PLACES.get(asked["name"].lower())):
            answer["results"] = [
                dict(zip(("name", "country", "latitude"), found, strict=True), longitude=1.0)
            ]
        elif "latitude" in asked:
            warm = asked["latitude"].startswith("35")
            time.sleep(1.1 if warm else 0.6)  # as the network would
            now = "2026-11-24T07:30" if warm else "2026-11-23T23:30"
            answer["current"] = {"time": now, "temperature_2m": 14.2 if warm else 8.6, **SKY}
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    """The page as it runs without any setting; gives its address."""
    with tempfile.TemporaryDirectory() as folder, ThreadingHTTPServer(("127.0.0.1", 0), Sky) as sky:
        threading.Thread(target=sky.serve_forever, daemon=True).start()
        ours = ("OPENAI_", "ASSISTANT_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment |= {"ASSISTANT_DATABASE_URL": f"sqlite:///{folder}/threads.sqlite", "PYTHONPATH": "."}
        command = [sys.executable, "-c", PAGE, f"http://127.0.0.1:{sky.server_address[1]}", "run"]
        command += [
            "streamlit_app.py",
            "--server.port=0",
            "--server.headless=true",
            "--server.address=127.0.0.1",
        ]
        command += ["--server.fileWatcherType=none", "--client.toolbarMode=minimal"]
        with subprocess.Popen(
            command, cwd=HERE.parent, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                yield next(line.split("URL:")[1].strip() for line in process.stdout if "URL:" in line)
            finally:
                process.terminate()
                process.communicate()
                sky.shutdown()


def opened(browser: Browser, address: str, width: int, height: int, **options: Any) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, **options)
    page.goto(address)
    page.locator(INPUT).wait_for()
    page.wait_for_selector("[data-test-script-state=notRunning]")
    return page


def finish(page: Page) -> None:
    """Wait for the line below the answer, which comes last."""
    page.locator("[class*=st-key-footer_]").last.wait_for()
    page.wait_for_selector("[data-test-script-state=notRunning]")
    page.wait_for_timeout(800)


def ask(page: Page, words: str) -> None:
    page.fill(INPUT, words)
    page.keyboard.press("Enter")
    finish(page)
    page.locator(MESSAGE).first.evaluate(
        "message => { message.style.scrollMarginTop = '4.5rem'; message.scrollIntoView() }"
    )
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)


def keep(page: Page, name: str, colors: int = 128) -> None:
    """Take a picture, in few colours."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(colors, dither=Image.Dither.NONE).save(HERE / name, optimize=True)


def film(page: Page, name: str) -> None:
    """Type the question, and take the page until the answer is there."""
    frames: list[tuple[float, bytes]] = []
    page.locator(INPUT).press_sequentially(QUESTION[:-1])
    began, told = time.monotonic(), False
    ended = float("inf")
    while time.monotonic() < ended:
        frames.append((time.monotonic() - began, page.screenshot()))
        if not told and frames[-1][0] > 0.5:
            told = True
            page.keyboard.type(QUESTION[-1])
            page.keyboard.press("Enter")
        if told and ended == float("inf") and page.locator("[class*=st-key-footer_]").count():
            ended = time.monotonic() + 0.8
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for _, data in frames]
    # One palette for all, of the colours that there is most of, or quiet places would flicker.
    count: Counter[Any] = Counter()
    for picture in pictures[:: len(pictures) // 5]:
        count.update({color: number for number, color in picture.getcolors(1 << 24)})
    boxes: dict[tuple[int, ...], tuple[int, ...]] = {}  # Pillow looks at the upper bits alone
    for color, _ in count.most_common():
        boxes.setdefault(tuple(part // 8 for part in color), color)
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for color in list(boxes.values())[:256] for part in color])
    drawn = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in pictures]
    times = [at for at, _ in frames]
    lasting = [round((after - at) * 1000) for at, after in pairwise(times)] + [1500]
    drawn[0].save(
        HERE / name, save_all=True, append_images=drawn[1:], duration=lasting, loop=0, optimize=True
    )
    print(f"{len(drawn)} pictures in {sum(lasting) / 1000:.1f} s")


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        with serving() as address:
            page = opened(browser, address, 720, 690, device_scale_factor=10 / 9)
            film(page, "answer.gif")
        with serving() as address:
            page = opened(browser, address, 1360, 860, device_scale_factor=1.5)
            page.locator(".st-key-sandbox label").first.click()
            page.locator(".st-key-sandbox_side").wait_for()
            ask(page, QUESTION)
            keep(page, "chat.png")
            page = opened(browser, address, 390, 760, device_scale_factor=2, color_scheme="dark")
            ask(page, QUESTION)
            keep(page, "phone.png")
        with serving() as address:
            page = opened(browser, address, 1120, 800, device_scale_factor=1.5, locale="ja-JP")
            ask(page, IN_JAPANESE)
            keep(page, "chat.ja.png")
        browser.close()
    for each in sorted(HERE.glob("*.[gp][in][fg]")):
        print(f"{each.name}: {each.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
