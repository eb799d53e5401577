"""An expander that is updated in place, and stays open or closed as the person left it.

``st.status`` closes whenever its label changes and whenever the page is drawn again, for it takes no key;
it also pauses the script for 50 ms each time. ``st.expander`` takes a key but cannot be updated. This one
is the same block as both, made by the method that makes all of Streamlit's blocks.

The one rule: what is not public in Streamlit is used here and nowhere else; tests pin it.
"""

from typing import Literal

import streamlit as st
from streamlit.proto.Block_pb2 import Block

State = Literal["running", "waiting", "complete", "error"]

_ICONS = {
    "running": "spinner",
    "waiting": ":material/pan_tool:",
    "complete": ":material/check:",
    "error": ":material/error:",
}


class Expander:
    """Drawn where it is made; what belongs inside is drawn into ``body``."""

    def __init__(self, key: str, label: str, type: Literal["step", "compact"]) -> None:
        self._place = st.empty()
        self._block = Block(id=key, allow_empty=True)
        self._block.width_config.use_stretch = True
        self._block.expandable.type = Block.Expandable.Type.Value(type.upper())
        self._mark(label, "running")
        self.body = self._place._block(self._block)

    def update(self, label: str, state: State) -> None:
        """Change the label and the icon; what is inside stays."""
        before = self._block.SerializeToString()
        self._mark(label, state)
        if self._block.SerializeToString() != before:
            self._place._block(self._block)

    def _mark(self, label: str, state: State) -> None:
        self._block.expandable.label = label
        self._block.expandable.icon = _ICONS[state]
        if state == "waiting":  # Streamlit knows no such state, and without one shows the icon
            self._block.expandable.ClearField("state")
        else:
            self._block.expandable.state = Block.Expandable.State.Value(state.upper())
