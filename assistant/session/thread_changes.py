"""Changes of a thread that ask the model nothing."""

from contextlib import suppress

from assistant.errors import ThreadBusy
from assistant.events import ToolResult
from assistant.messages import Feedback, Message
from assistant.request_options import RequestOptions, check_options
from assistant.session.visit import Visit
from assistant.threads import Thread
from assistant.tools.background import background_jobs, stop_background_calls


class ThreadChanges:
    """Changes a thread of one user, and saves it."""

    def __init__(self, visit: Visit) -> None:
        self._visit, self._app = visit, visit.app

    def switch(self, thread: Thread, position: int, number: int) -> None:
        """Open another branch at this position; raises ``ThreadBusy``."""
        self._visit.require_open()

        def change() -> None:
            stop_background_calls(thread, position)
            thread.switch(position, number)

        self._app.runs.change(thread, change, self._app.autosaver)

    def collect_results(self, thread: Thread) -> bool:
        """Add results of background calls that came while no run could take them; return whether there are any."""
        jobs = background_jobs(thread)
        if self._app.runs.get(thread) or not jobs.has_results:
            return False

        def collect() -> None:
            for report in jobs.collect():
                if isinstance(report, ToolResult):
                    thread.add_result(report)

        since = next((at for at, message in enumerate(thread.messages) if message.open_calls), None)
        with suppress(ThreadBusy):
            self._app.runs.change(thread, collect, self._app.autosaver, since=since)
            return True
        return False

    def rate(self, thread: Thread, message: Message, feedback: Feedback | None) -> None:
        """Save the user's rating of an answer, or remove it."""
        self._visit.require_open()
        message.feedback = feedback
        for position, other in enumerate(thread.messages):
            if other is message:
                self._app.autosaver.save(thread, position, backend_state=False)

    def set_options(self, thread: Thread, options: RequestOptions) -> None:
        """Set the parameters of the thread's requests; raises ``ValueError`` if they cannot be sent."""
        self._visit.require_open()
        check_options(options)
        thread.options = options
        if thread.version:  # it is saved with its first message; a replay never is
            self._app.autosaver.save(thread, len(thread.messages), backend_state=False)
