"""The line below a live answer that says for how long the server has sent nothing."""

from streamlit.delta_generator import DeltaGenerator

from assistant.runs.worker import LiveRun
from assistant.ui.language import _

MIN_SILENT_SECONDS = 5
"""Pauses between two pieces of an answer up to this long are not mentioned."""


class SilenceNotice:
    """Draws the line into ``place`` and removes it when data comes. Call ``update`` about twice a second."""

    def __init__(self, run: LiveRun, place: DeltaGenerator) -> None:
        self._run, self._place = run, place
        self._shown = 0

    def update(self) -> None:
        """Draw the current number of seconds."""
        seconds = int(self._run.silent_seconds)
        seconds = seconds if seconds >= MIN_SILENT_SECONDS else 0
        if seconds == self._shown:
            return
        self._shown = seconds
        if seconds:
            self._place.caption(_("No data for {seconds} s", seconds=seconds))
        else:
            self._place.empty()
