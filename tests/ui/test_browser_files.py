"""The styles and scripts of the page; ``tests/browser`` shows that they work."""

import ast
import re

from assistant.ui import keys
from assistant.ui.page.browser_script import CONVERSATION_SCRIPTS, FOLDER, call_script, read_element
from tests.paths import ROOT

FILES = sorted(FOLDER.iterdir())


def known_keys() -> set[str]:
    """Return every text that occurs in the page's source; a key, or the beginning of one, is among them."""
    texts = set()
    for path in (ROOT / "assistant" / "ui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts |= {node.value, node.value.partition("{")[0]}
    return texts


def test_the_files_name_keys_that_exist() -> None:
    known = known_keys()
    for path in FILES:
        used = set(re.findall(r"st-key-([a-z][\w-]*)", path.read_text("utf-8")))
        assert (path.name, used - known) == (path.name, set())


def test_the_files_are_scripts_and_styles() -> None:
    assert {path.suffix for path in FILES} == {".css", ".js"}
    assert set(CONVERSATION_SCRIPTS) < {path.name for path in FILES}
    assert read_element("page.css").startswith("<style>")
    assert read_element("sidebar.js").endswith("</script>")


def test_no_text_ends_a_script() -> None:
    script = call_script("f", 1, "</script>", True)
    assert script.count("</script>") == 1
    assert 'window.f(1, "\\u003c/script>", true)' in script


def test_the_container_of_the_scripts_is_hidden() -> None:
    assert f".st-key-{keys.SCRIPTS}" in read_element("page.css")
