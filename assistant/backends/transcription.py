"""Voice: what a person said into a microphone, as text.

Not here: recording (the browser does that), or sending the text (a person reads it first).

The one rule: whatever comes back is a text, or one sentence on why there is none.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from assistant.errors import RequestRefused, ServerFailed
from assistant.locale import N_, Sentence
from assistant.settings import Settings

if TYPE_CHECKING:
    from openai import OpenAI

MODEL = "gpt-transcribe"

MOST_BYTES = 25_000_000
"""The largest recording (API reference, "Create transcription")."""

PATIENCE = 60.0
"""Seconds of silence after which a transcription is given up: somebody waits for it."""


class Voice:
    """Transcribes recordings on one connection, which is made for the first of them."""

    def __init__(self, settings: Settings, model: str = MODEL) -> None:
        self._settings, self._model = settings, model

    @cached_property
    def _client(self) -> "OpenAI":
        from assistant.backends.client import connect  # loads the SDK

        return connect(self._settings).with_options(timeout=PATIENCE, max_retries=1)

    def transcribe(self, recording: bytes, name: str = "recording.wav") -> str:
        """What is said in a recording; its format is known by the ending of its name.

        Raises:
            BackendError: There is no text; the sentence says why.
        """
        if not recording:
            raise RequestRefused(N_("The recording is empty."), code="empty_recording")
        if len(recording) > MOST_BYTES:
            raise RequestRefused(
                N_(
                    "The recording is too long: it has {size} MB, at most {limit} can be "
                    "transcribed. Say it in parts.",
                    size=f"{len(recording) / 1e6:.0f}",
                    limit=MOST_BYTES // 1_000_000,
                ),
                code="too_long",
            )
        from assistant.backends.client import host
        from assistant.backends.error_translation import translate_errors

        try:
            with translate_errors(self._client):
                heard: Any = self._client.audio.transcriptions.create(
                    model=self._model, file=(name, recording)
                )
        except RequestRefused as refusal:  # it may be the model, which has a setting of its own here
            text = refusal.text
            if isinstance(text, Sentence):
                text = text.with_params(model_setting="ASSISTANT_TRANSCRIBE_MODEL")
            raise RequestRefused(text, code=refusal.code, retry=refusal.retry) from refusal
        transcript = heard if isinstance(heard, str) else getattr(heard, "text", None)
        if not isinstance(transcript, str) or transcript.lstrip()[:1] == "<":
            raise ServerFailed(
                N_("{host} sent no transcription.", host=host(self._client)), code="no_transcription"
            )
        if not transcript.strip():
            raise RequestRefused(N_("Nothing was heard in the recording."), code="nothing_heard")
        return transcript.strip()


def open_voice(settings: Settings) -> Voice | None:
    """What transcribes on the connection of these settings; None where nothing does.

    The demo hears nothing; and another server than OpenAI's does only if a model for it was named.
    """
    model = settings.transcribe_model or ("" if settings.base_url else MODEL)
    return Voice(settings, model) if model and not settings.demo else None
