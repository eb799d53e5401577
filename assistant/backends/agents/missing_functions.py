"""Notes about functions that an agent or assistant declares and that are not defined here."""

import keyword
import re
from collections.abc import Container, Iterable, Iterator

from assistant.events import Note
from assistant.locale import N_


def missing_function_notes(names: Iterable[str], toolbox: Container[str], noted: list[str]) -> Iterator[Note]:
    """Yield a note for each function that is not defined here, with the file to define it in.

    ``noted`` are the functions that were noted before; it grows.
    """
    for name in names:
        if name and name not in toolbox and name not in noted:
            text = N_(
                "The function `{function}` is not defined here. Define it in assistant/functions/{file}.",
                function=re.sub(r"[^\w.-]+", "_", name)[:64],
                file=file_name(name),
            )
            yield Note(text)
            noted.append(name)


def file_name(function: str) -> str:
    """Return the file in which a function belongs; the name is valid on any file system."""
    stem = re.sub(r"\W+", "_", function, flags=re.ASCII).strip("_").lower()[:60]
    if not stem or stem[0].isdigit() or keyword.iskeyword(stem):
        stem = f"function_{stem}".rstrip("_")
    return f"{stem}.py"
