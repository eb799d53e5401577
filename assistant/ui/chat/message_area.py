"""Where the page draws messages. Each of its two lists has two places, so that nothing outdated remains."""

from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.messages import Message


@dataclass(slots=True)
class MessageArea:
    """The messages that this browser session drew last in one of its two places, and in which of them."""

    messages: list[Message] = field(default_factory=list)
    place: int = 0

    def draw(self, messages: list[Message]) -> DeltaGenerator:
        """Return the container for these messages; another one unless they begin with those drawn last.

        Until a script ends, the browser keeps what an earlier one drew in a container: parts of another
        message would stay below a new one for as long as its answer streams.
        """
        before = self.messages
        same = len(before) <= len(messages) and all(
            old is new for old, new in zip(before, messages, strict=False)
        )
        if not same:
            self.place = 1 - self.place
        self.messages = messages
        places = [st.container() if place == self.place else st.empty() for place in (0, 1)]
        return places[self.place]


class HistoryArea(MessageArea):
    """Where the page draws the messages before the fragment."""


class RecentArea(MessageArea):
    """Where the fragment draws the newest messages."""
