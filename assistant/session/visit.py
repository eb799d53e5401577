"""One user's visit to the page: who the user is, whether the session has ended, and the user's threads."""

from collections.abc import Callable
from typing import TypeVar

from assistant.access.auth import User
from assistant.access.sessions import Login
from assistant.application import Application
from assistant.errors import SessionEnded
from assistant.locale import N_
from assistant.observability.audit import AuditEvent, Visitor
from assistant.observability.logs import hash_thread
from assistant.storage.store import Store

T = TypeVar("T")


class Visit:
    """What every action of a user needs to know.

    Attributes:
        app: What the process shares.
        user: The user, whose threads these are.
        visitor: The user in the audit log.
        login: How the session was opened; None where nothing ends it.
        leave: Called when the session has ended, instead of an action of the user.
    """

    def __init__(self, app: Application, user: User, visitor: Visitor) -> None:
        self.app, self.user, self.visitor = app, user, visitor
        self.login: Login | None = None
        self.leave: Callable[[], None] = _leave

    @property
    def has_ended(self) -> bool:
        """Whether the session has ended."""
        return bool(self.app.end_reason(self.login))

    def require_open(self) -> None:
        """Leave the page if the session has ended."""
        if self.has_ended:
            self.leave()

    @property
    def store(self) -> Store | None:
        """The user's threads; None while the database cannot be used."""
        self.require_open()
        store = self.app.autosaver.store
        return store.for_owner(self.user.id) if store else None

    def audit(self, event: AuditEvent, thread_id: str, **facts: str | int) -> None:
        """Write an entry about a thread to the audit log, which does not contain the id itself."""
        self.app.audit.write(event, self.visitor, thread=hash_thread(thread_id), **facts)

    def export(self, event: AuditEvent, thread_id: str, format: str, content: Callable[[], T]) -> T:
        """Return what ``content`` returns, for a file that the user saves; raises ``SessionEnded``."""
        if self.has_ended:
            _leave()
        self.audit(event, thread_id, format=format)
        return content()


def _leave() -> None:
    raise SessionEnded(N_("Your session has ended. Log in again."))
