"""Copy a SQLite database while others use it."""

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from assistant.errors import StoreError
from assistant.locale import N_
from assistant.storage.database import create_engine, existing_url, parse_url


def back_up(url: str, file: Path) -> None:
    """Write the database as it is at one moment to a new file, which only its owner can read.

    Raises:
        StoreError: It is not in a file, or the copy cannot be written; then there is no new file.
    """
    address = parse_url(existing_url(url))
    if address.get_backend_name() != "sqlite":
        raise StoreError(N_("The database is PostgreSQL. Back it up with pg_dump."))
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        reason = error.strerror or ""
        raise StoreError(N_("{file} cannot be written: {reason}", file=str(file), reason=reason)) from error
    engine = create_engine(address).execution_options(no_transaction=True)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(file),))
    except SQLAlchemyError as error:
        with suppress(OSError):
            file.unlink()
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StoreError(N_("{file} cannot be written: {reason}", file=str(file), reason=reason)) from error
    finally:
        engine.dispose()
