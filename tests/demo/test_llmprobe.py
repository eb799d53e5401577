"""The demo passes every MUST of llmprobe, a conformance suite for model servers (npm)."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.downloads import node, npm_package
from tests.servers import demo

pytestmark = pytest.mark.exhaustive


@pytest.mark.parametrize("depth", [[], ["--full"]], ids=["default", "full"])
def test_every_must_of_llmprobe_holds(depth: list[str], tmp_path: Path) -> None:
    program = npm_package("llmprobe", "0.6.12") / "bin" / "dist" / "llmprobe.mjs"
    with demo.running() as url:
        command = [node(), str(program), url, "-m", "Demo", "--no-bench", "--no-save", "--json", *depth]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=300, env={"HOME": str(tmp_path)}
        )
    conformance: dict[str, Any] = json.loads(done.stdout)["conformance"]
    failures = [
        (result["id"], failure["message"])
        for result in conformance["results"]
        for failure in result["failures"]
        if failure["severity"] == "MUST"
    ]
    assert failures == []
    assert conformance["passed"] == conformance["total"] >= (98 if depth else 70)
    assert {surface["surface"] for surface in conformance["bySurface"]} == {"models", "responses"}
