"""A real PostgreSQL server for the tests, in a temporary directory and on a free port."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

PLACES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *Path("/usr/local").glob("*/bin"))
"""Where packages put the server's programs, which are not among the commands."""


def programs() -> Path | None:
    """Return the directory of PostgreSQL's programs, if it is installed."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else list(PLACES)
    return next((place for place in places if (place / "initdb").exists()), None)


@contextmanager
def running(programs: Path) -> Iterator[str]:
    """Start an empty server, and yield the beginning of its databases' URLs."""
    user = "postgres" if os.geteuid() == 0 else None  # it does not start as root
    with tempfile.TemporaryDirectory() as home, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        data = Path(home, "data")
        if user:
            shutil.chown(home, user)
        subprocess.run(
            [
                str(programs / "initdb"),
                "-D",
                str(data),
                "-U",
                "me",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
            ],
            cwd=home,
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-s", "-l", f"{home}/log"]
        subprocess.run([*control, "-o", options, "start"], cwd=home, user=user, check=True)
        try:
            yield f"postgresql://me:secret@127.0.0.1:{port}/"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], cwd=home, user=user, check=True)


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """Freeze the server of this database within a ``with`` block; its host still answers for it, as if a disk hung."""
    with psycopg.connect(url) as connection:
        [(child,)] = connection.execute("SELECT pg_backend_pid()")
        server = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(server, signal.SIGSTOP)  # first, so that it starts no more processes
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    processes = [server, *map(int, children)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
