"""Ways to ask a model: one file per protocol, the same verbs in each; nothing else imports the SDK."""

from ..settings import Settings
from .client import connect
from .responses import Responses

__all__ = ["Responses", "open_backend"]


def open_backend(settings: Settings) -> Responses:
    """The backend that these settings ask for; nothing is sent yet."""
    return Responses(connect(settings), model=settings.model, instructions=settings.instructions)
