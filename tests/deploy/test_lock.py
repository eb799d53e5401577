"""What the container is made of: images by their digests, and packages by a lock that is complete."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import need
from tests.paths import ROOT

LOCK = ROOT / "deploy/requirements.lock"


def locked() -> dict[str, tuple[str, list[str]]]:
    """Return the version and the hashes of each package in the lock."""
    text = re.sub(r"#.*", "", LOCK.read_text("utf-8")).replace("\\\n", " ")
    found: dict[str, tuple[str, list[str]]] = {}
    for line in filter(str.strip, text.splitlines()):
        pinned, *options = line.split()
        name, version = pinned.split("==")
        found[canonicalize_name(name)] = version, options
    return found


def required() -> list[Requirement]:
    """Return what the application needs in the container: all but pytest."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    listed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [each for each in listed if each.name != "pytest"]


def test_every_image_is_named_by_its_digest() -> None:
    files = (ROOT / "Dockerfile").read_text("utf-8") + (ROOT / "deploy/compose.yaml").read_text("utf-8")
    images = re.findall(r"^(?:FROM| +image:) (.*)$", files, re.MULTILINE)
    assert len(images) == 3
    assert all(re.fullmatch(r"\w+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in images), images


def test_the_lock_satisfies_the_requirements() -> None:
    pins = locked()
    for requirement in required():
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)][0]), requirement
    assert "pytest" not in pins


def test_every_package_of_the_lock_has_hashes() -> None:
    for name, (_, options) in locked().items():
        assert options, name
        assert all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", each) for each in options), name


@pytest.mark.exhaustive
def test_the_lock_can_be_installed_in_the_image_and_lacks_nothing(tmp_path: Path) -> None:
    """With hashes required, a package that another one needs and the lock does not have is refused."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    need(uv, "uv (.ci/requirements.txt)")
    options = ["--require-hashes", "--python-version=3.12", "--python-platform=linux", "--only-binary=:all:"]
    command = [str(uv), "pip", "install", "--dry-run", f"--target={tmp_path}", *options, "-r", str(LOCK)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert f"Would install {len(locked())} packages" in run.stderr
