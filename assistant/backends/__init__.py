"""Ways to ask a model: one file per protocol, the same verbs in each; nothing else imports the SDK."""

import httpx2

from ..settings import Settings
from .client import connect
from .responses import Responses

__all__ = ["Responses", "open_backend"]


def open_backend(settings: Settings, demo: httpx2.BaseTransport | None = None) -> Responses:
    """The backend that these settings ask for; nothing is sent yet. ``demo``: see ``connect``."""
    return Responses(
        connect(settings, demo),
        model=settings.model,
        instructions=settings.instructions,
        background=settings.background and not settings.demo,
        context=settings.context,
    )
