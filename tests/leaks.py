"""Secrets that contain one word, and servers that repeat them."""

import base64
from contextlib import closing
from urllib.parse import quote

import sqlalchemy as sql

from assistant import Toolbox, tool
from assistant.events import Event, RunCompleted, RunFailed
from tests.servers.responses import Play, call, calls, cut, error, text

CANARY = "canary"
"""It is in every secret, so that one word is looked for."""

KEY = "sk-canary/key+4711"
PASSWORD = "canary pass/word"
TYPED = "canary-typed-4711"
DATABASE = "canary-database-4711"
SECRETS = {"key": KEY, "password": PASSWORD}


def basic_auth(secret: str) -> str:
    """Return a password as a request carries it with a user name (RFC 7617)."""
    return base64.b64encode(f"me:{secret}".encode()).decode()


def echo(secret: str) -> str:
    """Return a secret as a server may repeat it: as it is, in a URL, and as a request carries it."""
    encoded = [quote(secret, ""), quote(secret), basic_auth(secret) if secret == PASSWORD else ""]
    return " ".join([secret, *encoded])


def scripts(message: str) -> dict[str, tuple[list[Play], type[Event]]]:
    """Return what a server does, and how a run ends then; its messages repeat a secret."""
    once = {"x_should_retry": "false"}
    return {
        "answered": (
            [calls(call("work", how="well"), call("fail"), call("nothing")), text("Both done.")],
            RunCompleted,
        ),
        "401": ([error(401, "invalid_api_key", f"Incorrect API key provided: {message}.")], RunFailed),
        "403": ([error(403, None, f"Not with {message}.")], RunFailed),
        "429": ([error(429, None, f"Too often: {message}.", **once)], RunFailed),
        "429 by a long wait": ([error(429, None, f"Too often: {message}.", retry_after="60")], RunFailed),
        "400 by a code": ([error(400, f"no {message}", "No.")], RunFailed),
        "500": ([error(500, None, f"Broken: {message}.", **once)], RunFailed),
        "418 without JSON": (
            [Play(status=418, body=message.encode(), headers=(("x-should-retry", "false"),))],
            RunFailed,
        ),
        "cut": ([cut(text("So far so good"), 3, "close")], RunFailed),
    }


def server_urls(url: str) -> dict[str, str]:
    """Return the server's URL without and with a secret in it."""
    host = url.partition("//")[2]
    return {"key": url, "password": f"http://me:{quote(PASSWORD, '')}@{host}"}


def database_rows(database: str) -> str:
    """Return every column of every row of every table."""
    engine = sql.create_engine(database)
    with closing(engine.raw_connection()) as connection:
        tables = sql.inspect(engine).get_table_names()
        cursor = connection.cursor()
        found = [cursor.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables]
    engine.dispose()
    return repr(found)


def leaks(outputs: dict[str, str]) -> list[str]:
    """Return the outputs in which a secret can be read, also in another encoding."""
    canaries = [CANARY, *map(basic_auth, (KEY, PASSWORD, TYPED))]
    return [name for name, output in outputs.items() if any(canary in output for canary in canaries)]


@tool
def work(how: str) -> str:
    """Do something.

    Args:
        how: It is repeated.
    """
    return f"Done: {how}"


@tool
def fail() -> str:
    """Fail."""
    raise ValueError("no reason at all")


TOOLBOX = Toolbox(work, fail)
