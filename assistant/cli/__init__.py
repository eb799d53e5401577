"""The command line: one turn with the same assistant, settings and events as on the page.

Standard output has the answer's text and nothing else, so that it can be piped; calls and notes go to
standard error. With ``--json`` standard output has every event, one JSON object per line. The thread is not
stored; ``--record`` writes a recording of the run. ``demo`` as the first argument serves the demo instead,
``end-sessions`` ends sessions of the page, and ``backup`` copies its database.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from assistant.cli.answer import answer
from assistant.cli.maintenance import back_up, end_sessions


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the command line and return the exit status."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with suppress(AttributeError):  # the stream is missing or replaced
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    match [*arguments[:1]]:
        case ["demo"]:
            from assistant.demo import server  # not loaded otherwise

            return server.main(arguments[1:])
        case ["end-sessions"]:
            return end_sessions(arguments[1:], environment)
        case ["backup"]:
            return back_up(arguments[1:], environment)
    return answer(arguments, environment)
