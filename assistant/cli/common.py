"""What all commands share: the page's settings, the exit statuses, and errors on one line."""

import re
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dotenv import dotenv_values

from assistant.settings import Settings

COMPLETED, FAILED, USAGE, STOPPED_EARLY, PAUSED, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 4, 130, 141
"""The exit statuses; the last two are 128 plus the number of SIGINT or SIGPIPE."""

ROOT = Path(__file__).parents[2]

MAX_LINE_CHARS = 200  # maximum length of a line on standard error

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def load_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings as on the page: from the environment, Streamlit's secrets and ``.env``."""
    secrets: dict[str, object] = {}
    for folder in (ROOT, Path.home()):
        with suppress(OSError):
            secrets = tomllib.loads((folder / ".streamlit/secrets.toml").read_text("utf-8")) | secrets
    return Settings.load(environment, secrets, dotenv_values(ROOT / ".env"))


def usage_error(text: str) -> int:
    """Print an error and return the exit status of wrong usage."""
    print_error(text)
    return USAGE


def print_error(text: str) -> None:
    """Print a text as one line on standard error."""
    line = UNPRINTABLE.sub("\ufffd", " ".join(text.split()))
    shown = line if len(line) <= MAX_LINE_CHARS else f"{line[:MAX_LINE_CHARS]} …"
    print(shown, file=sys.stderr, flush=True)
