"""Commands for the owner of the page: end sessions, and copy the database."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from assistant.access import sessions
from assistant.access.sessions import EVERYONE, parse_entries
from assistant.cli.common import COMPLETED, ROOT, load_settings, usage_error
from assistant.errors import SettingsError, StoreError
from assistant.observability.audit import AuditLog, Visitor
from assistant.storage import backup
from assistant.storage.database import Database, default_url, existing_url


def end_sessions(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """End sessions in the database of the page, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m assistant end-sessions",
        description="End the sessions that users of the page have opened until now: they have to log in again.",
    )
    parser.add_argument(
        "users",
        nargs="*",
        help="addresses, domains such as @example.com, or ids of signed-in users as in the audit log",
    )
    parser.add_argument(
        "--all", action="store_true", help="of all users, also of those with a shared password"
    )
    options = parser.parse_args(arguments)
    if options.all == bool(options.users):
        return usage_error("Say whose sessions end: users, or --all.")
    try:
        entries = (EVERYONE,) if options.all else parse_entries(options.users)
        settings = load_settings(environment)
        database = Database(existing_url(settings.database_url or default_url(ROOT)))
        sessions.end_sessions(database, entries)
        database.close()
    except ValueError as error:
        return usage_error(f"{error} is not an address, a domain or the id of a user.")
    except (SettingsError, StoreError) as error:
        return usage_error(str(error))
    print(f"Ended in {database.name}: {'all sessions' if options.all else ', '.join(entries)}")
    try:
        who = Visitor(user="command line")
        AuditLog(settings.audit_log).write(
            "sessions_ended", who, users=list(entries) if options.users else ["*"]
        )
    except OSError as error:
        print(f"The audit log cannot be written: {error.strerror}.", file=sys.stderr)
    return COMPLETED


def back_up(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Copy the database of the page to a file, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m assistant backup",
        description="Copy the SQLite database of the page to a new file, also while the page runs.",
    )
    parser.add_argument("file", type=Path, help="the copy; a file with this name must not exist")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(environment)
        backup.back_up(settings.database_url or default_url(ROOT), options.file)
    except (SettingsError, StoreError) as error:
        return usage_error(str(error))
    print(f"Backed up to {options.file}.")
    return COMPLETED
