"""Replays of recordings as chats that are not saved."""

from assistant.access.sessions import stop_when_ended
from assistant.events import Note
from assistant.recordings.recording import NOT_LIVE, Recording
from assistant.recordings.requests import prompt_of
from assistant.runs.replay import replay_assistant
from assistant.runs.run import Events, Run
from assistant.runs.worker import LiveRun
from assistant.session.connection import Connection
from assistant.session.visit import Visit
from assistant.threads import Thread, unguessable_id
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run


class Replays:
    """The replays of one session, of which one runs at a time."""

    def __init__(self, visit: Visit, connection: Connection) -> None:
        self._visit, self._connection = visit, connection
        self._newest: LiveRun | None = None

    def start(
        self, recording: Recording, speed: float = 1.0, *, run_functions: bool = False
    ) -> tuple[Thread, LiveRecording]:
        """Replay a recording and return its thread and the replay's own recording. It ends the replay before it."""
        visit, app = self._visit, self._visit.app
        visit.require_open()
        replayer = replay_assistant(
            recording, self._connection.toolbox, speed=speed, run_functions=run_functions
        )
        thread = Thread(unguessable_id(), owner=visit.user.id)
        # Only the messages are shared. What the backend notes of the recorded server, such as the id of a
        # conversation, never gets into a thread that a real server answers later, however the replay ends.
        replayed = Thread(thread.id, thread.messages)
        copy = app.recordings.start(thread.id)
        copy.is_live = False

        def observe(events: Events) -> Events:
            yield Note(NOT_LIVE)
            allowed = stop_when_ended(events, lambda: app.end_reason(visit.login))
            yield from record_run(allowed, copy)

        def prepare() -> Run:
            run = replayer.run(replayed, prompt_of(recording)).through(observe)
            return Run(thread, run.message, run.events)

        if self._newest:
            self._newest.stop()
        self._newest = app.runs.start(thread, prepare, lambda _: replayer.cancel(replayed))
        app.replay_limit.add(visit.user.id or visit.visitor.client or self._connection.user_id, self._newest)
        return app.runs.register(thread), copy
