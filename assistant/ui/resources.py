"""What the sessions of a process share: its runs, its database, its servers.

Not here: what belongs to one person (``st.session_state``).

The one rule: each is made once for what it depends on. ``edition`` is another when Streamlit has reloaded the
package after an edit, for what was made by the old modules does not fit the new ones.
"""

import gc
from typing import TYPE_CHECKING

import streamlit as st

from assistant.backends import LazyBackend, open_backend
from assistant.backends.transcription import Voice, open_voice
from assistant.observability.logs import begin_logging
from assistant.observability.metrics import Metrics
from assistant.runs.autosave import Autosaver
from assistant.runs.queue import MessageQueue
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from assistant.transports.recording_store import RecordingStore
from assistant.ui.metrics import serve_metrics

if TYPE_CHECKING:
    from assistant.demo import DemoTransport


@st.cache_resource(show_spinner=False, max_entries=8, on_release=lambda backend: backend.close())
def backend_for(settings: Settings, edition: int) -> LazyBackend:
    """One backend, with one client and one pool of connections, for everybody who has these settings."""
    return open_backend(settings, demo_server() if settings.demo else None)


@st.cache_resource(show_spinner=False, scope="session")
def chosen_backend(settings: Settings, edition: int) -> LazyBackend:
    """The backend of a connection that a person chose: it goes with their session, and so does their key.

    It is not closed then, for an answer may go on without its page; the last who needs it lets it go.
    """
    return open_backend(settings, demo_server() if settings.demo else None)


@st.cache_resource(show_spinner=False, scope="session")
def voice_for(settings: Settings, edition: int) -> Voice | None:
    """What transcribes a recording on this connection, where something does."""
    return open_voice(settings)


@st.cache_resource(show_spinner=False)
def demo_server() -> "DemoTransport":
    """The stand-in for a model. It outlives an edit of the package, and so do its conversations."""
    from assistant.demo import DemoTransport  # not loaded where a model answers

    return DemoTransport()


@st.cache_resource(show_spinner=False)
def live_runs(edition: int) -> RunRegistry:
    """The runs of this process. ``edition`` changes when Streamlit reloads the package after an edit."""
    return RunRegistry()


@st.cache_resource(show_spinner=False)
def recent_tapes(edition: int) -> RecordingStore:
    """What the newest runs of this process did on the wire, in memory only."""
    return RecordingStore()


@st.cache_resource(show_spinner=False)
def metrics_of(settings: Settings, edition: int) -> Metrics:
    """The numbers that the runs of this process come to; their lines go to the log as the settings say."""
    begin_logging(settings.log, settings.secrets)
    return serve_metrics(Metrics())


@st.cache_resource(show_spinner=False)
def queued(edition: int) -> MessageQueue:
    """What people have said while an answer is being written."""
    return MessageQueue()


@st.cache_resource(show_spinner=False, on_release=lambda autosaver: autosaver.close())
def autosaver_for(url: str, edition: int) -> Autosaver:
    """Where threads are kept."""
    return Autosaver(url)


@st.cache_resource(show_spinner=False, ttl=60)
def settle() -> None:
    """Leave all that is loaded out of later garbage collections.

    Nobody is answered while all that was imported is looked through, which takes a tenth of a second.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
