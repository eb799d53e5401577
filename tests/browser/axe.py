"""axe-core, which finds violations of the rules for accessible pages."""

from functools import cache
from typing import TYPE_CHECKING

from tests.downloads import npm_package

if TYPE_CHECKING:
    from playwright.sync_api import Page

VIOLATIONS = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map(
    each => [each.id, each.help, ...each.nodes.map(node => node.html.slice(0, 200))])"""


@cache
def axe() -> str:
    """Return the script of axe-core."""
    return (npm_package("axe-core", "4.14") / "axe.min.js").read_text(encoding="utf-8")


def check(page: "Page") -> None:
    """Assert that axe-core finds nothing on the page as it stands."""
    page.wait_for_timeout(500)  # what fades in has its colour
    page.evaluate(axe())
    found = page.evaluate(VIOLATIONS)
    assert found == [], found
