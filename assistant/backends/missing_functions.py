"""The note about a function that an agent or assistant declares and that is not defined here."""

import keyword
import re

from assistant.events import Note
from assistant.locale import N_


def missing_function_note(name: str) -> Note:
    """Return the note about a missing function, with the file in which to define it."""
    shown = re.sub(r"[^\w.-]+", "_", name)[:64]
    return Note(
        N_(
            "The function `{function}` is not defined here. Define it in assistant/functions/{file}.",
            function=shown,
            file=file_name(name),
        )
    )


def file_name(function: str) -> str:
    """Return the file in which a function belongs; the name is valid on any file system."""
    stem = re.sub(r"\W+", "_", function, flags=re.ASCII).strip("_").lower()[:60]
    if not stem or stem[0].isdigit() or keyword.iskeyword(stem):
        stem = f"function_{stem}".rstrip("_")
    return f"{stem}.py"
