"""CPU and memory of the machine and its processes, from Linux, and whether others use the machine.

A figure that was measured while others used the machine is measured again, and the quieter one counts.
"""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_TICK = os.sysconf("SC_CLK_TCK")
QUIET = 0.15  # cores
PATIENCE = 5.0  # seconds
others: list[float] = []
"""For each figure that counts: the cores that other programs used meanwhile."""


is_quick = False
"""Measure once, whatever others do."""


def quietly(what: str, measure: Callable[[], T]) -> T:
    """Return the result of ``measure`` on a machine as quiet as it gets within some seconds."""
    tries: list[tuple[float, T]] = []
    while len(tries) < 2:
        if not is_quick:
            _wait_until_quiet()
        began, all_before, ours_before = time.monotonic(), _busy(), cpu(os.getpid())
        measured = measure()
        used = _busy() - all_before - (cpu(os.getpid()) - ours_before)
        tries.append((max(0.0, used) / (time.monotonic() - began), measured))
        print(f"  {what}: {time.monotonic() - began:.1f} s", file=sys.stderr)
        if is_quick or tries[-1][0] < 2 * QUIET:
            break
    used, measured = min(tries, key=lambda each: each[0])
    others.append(used)
    return measured


def _wait_until_quiet() -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        began, before = time.monotonic(), _busy()
        time.sleep(0.5)
        if (_busy() - before) / (time.monotonic() - began) < QUIET:
            return


def _busy() -> float:
    """Return the seconds of CPU that the whole machine has used."""
    user, nice, system, _idle, _wait, irq, soft = Path("/proc/stat").read_text().split()[1:8]
    return sum(map(int, (user, nice, system, irq, soft))) / _TICK


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process and its descendants have used."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = entry.read_text().rpartition(")")[2].split()
            parents[int(entry.parent.name)] = int(fields[1])
            used[int(entry.parent.name)] = sum(map(int, fields[11:15]))
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(used.get(each, 0) for each in family) / _TICK


def memory(pid: int, field: str = "VmRSS") -> float:
    """Return a process's memory in megabytes (of 1,000,000 bytes): now, or its maximum with ``VmHWM``."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(values[field].split()[0]) * 1024 / 1e6


def describe(chromium: str) -> str:
    """Return a description of the machine, its software and the date."""
    about = Path("/proc/cpuinfo").read_text()
    models = [line.split(":")[1].strip() for line in about.splitlines() if line.startswith("model name")]
    browser = subprocess.run([chromium, "--version"], capture_output=True, text=True, check=True).stdout
    return (
        f"{os.cpu_count()} cores ({models[0] if models else platform.machine()}), "
        f"Python {platform.python_version()}, Streamlit {version('streamlit')}, openai {version('openai')}, "
        f"{' '.join(browser.split()[:2])}, {datetime.now(UTC):%Y-%m-%d}"
    )
