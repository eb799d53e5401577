"""The page in a real browser, with a model server or the demo behind it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import FLAGS, open_page, serve
from tests.conftest import need
from tests.servers.responses import ModelServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        need(False, "Playwright (.ci/requirements.txt)")
    chromium = shutil.which("chromium")
    need(chromium is not None, "Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def one_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def model(one_server: ModelServer) -> Iterator[ModelServer]:
    """The model server of the app, with a separate script for each test."""
    yield one_server
    one_server.end_script()


@pytest.fixture(scope="module")
def app_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def app(one_server: ModelServer, app_folder: Path) -> Iterator[str]:
    yield from serve(app_folder, OPENAI_BASE_URL=one_server.url)


@pytest.fixture(scope="module")
def demo_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serve(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def page(browser: "Browser", app: str) -> Iterator["Page"]:
    page = open_page(browser, app)
    yield page
    page.close()
