"""The start of a run: counted against the user's limits, recorded and saved before its first request."""

from collections.abc import Callable
from functools import partial
from typing import Any

from assistant.access.metering import Meter
from assistant.errors import ThreadBusy, TooManyAnswers
from assistant.locale import N_
from assistant.messages import Message
from assistant.runs.run import Run
from assistant.session.connection import Connection
from assistant.session.visit import Visit
from assistant.threads import Thread, unguessable_id
from assistant.transports.live_recording import LiveRecording


class RunStarter:
    """Starts the runs of one user's threads over the user's connection.

    An ``action`` is a method of the connection's ``Assistant``, such as ``run``, ``edit`` or ``resume``; it is
    called with the thread and the other arguments.
    """

    def __init__(self, visit: Visit, connection: Connection) -> None:
        self._visit, self._connection = visit, connection

    def start_within_limits(
        self, thread: Thread, action: Callable[..., Run], *arguments: Any, message: Message | None = None
    ) -> LiveRecording:
        """Start a run and count it against the user's limits; ``message`` is what it adds to the thread.

        Raises:
            ThreadBusy, QuotaError, TooManyAnswers: It cannot be started now.
        """
        if message:
            self._visit.app.runs.check_room(message)
        meter = self._connection.meter(thread)
        if meter is None:
            return self.start(thread, action, *arguments)
        if self._visit.app.runs.get(thread):
            raise ThreadBusy(N_("An answer is still being written. Wait for it, or stop it."))
        meter.admit(message)
        try:
            return self.start(thread, action, *arguments, meter=meter)
        except BaseException:
            meter.withdraw()
            raise

    def start(
        self, thread: Thread, action: Callable[..., Run], *arguments: Any, meter: Meter | None = None
    ) -> LiveRecording:
        """Start a run and return its recording; raises ``ThreadBusy`` or ``TooManyAnswers``.

        The thread has its id, and is saved, before the first request is sent.
        """
        visit, connection = self._visit, self._connection
        visit.require_open()
        if not thread.id:
            thread.id = unguessable_id()
            visit.app.runs.register(thread)
        try:
            return visit.app.start_run(
                thread,
                partial(action, thread, *arguments),
                connection.assistant.cancel,
                connection.toolbox,
                meter or connection.meter(thread),
                user_id=connection.user_id,
                login=visit.login,
                hidden=connection.hidden_texts,
            )
        except TooManyAnswers as error:
            visit.app.audit.write("limit_reached", visit.visitor, scope=error.scope, limit="answers")
            raise
