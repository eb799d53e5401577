"""The models that a server lists, and what is known about each of them. No requests are made here."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from assistant.locale import N_

MAX_LIST_BYTES = 8_000_000  # longest response read as a list of models

MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that a server lists; ``shutdown`` is the announced day of its removal, if any."""

    id: str
    shutdown: date | None = None

    @property
    def warning(self) -> str:
        """What to know before choosing the model; usually empty."""
        if self.shutdown is None:
            return ""
        if self.shutdown <= date.today():
            return N_(
                "{model} was scheduled to shut down on {date}. Choose another model.",
                model=self.id,
                date=str(self.shutdown),
            )
        return N_(
            "{model} will be shut down on {date}. Choose another model before then.",
            model=self.id,
            date=str(self.shutdown),
        )


def parse_models(body: object) -> list[ListedModel] | None:
    """Return the models in a server's JSON response, sorted by id; None if it is not a list of models.

    Ollama without models sends ``null`` as the list; some servers send the list without an object around it.
    """
    entries = body
    if isinstance(body, dict):
        entries = body.get("data") or body.get("models")
        if entries is None and (body.get("object") == "list" or "data" in body or "models" in body):
            entries = []
    if not isinstance(entries, list):
        return None
    models = {}
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {"id": entry}
        name = fields.get("id") or fields.get("name")
        if isinstance(name, str) and name.isprintable() and 0 < len(name.strip()) <= MAX_NAME_CHARS:
            models[name] = ListedModel(name, _parse_day(fields.get("shutdown_date")))
    return None if entries and not models else sorted(models.values(), key=lambda model: model.id)


def _parse_day(value: object) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    return None


_THINKING = ("low", "medium", "high", "xhigh", "max")
_EFFORTS = {
    "gpt-6-luna": ("none", *_THINKING),
    "gpt-6.1-terra": ("none", *_THINKING),
    "gpt-6.1-sol": _THINKING,
    "gpt-6.2-sol": _THINKING,
    "gpt-6.2-astra": _THINKING,
    "gpt-6-astra": _THINKING,
    "gpt-5.6-luna": ("none", *_THINKING),
    "gpt-5.6-terra": ("none", *_THINKING),
    "gpt-5.6-sol": ("none", *_THINKING),
}


def reasoning_efforts(model: str) -> tuple[str, ...]:
    """Return the reasoning efforts that the vendor documents for a model, lowest first; empty if unknown."""
    name = model.rpartition("/")[2]  # some servers prefix the vendor
    for known, efforts in _EFFORTS.items():
        if name == known or name.startswith(f"{known}-"):
            return efforts
    return ()
