"""Transcribe what the user says into the microphone; the user reads the text before it is sent."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from assistant.errors import RequestRefused, ServerFailed
from assistant.locale import N_, Sentence
from assistant.settings import Settings

if TYPE_CHECKING:
    from openai import OpenAI

MODEL = "gpt-transcribe"

MAX_AUDIO_BYTES = 25_000_000
"""Maximum size of an audio file (API reference, "Create transcription")."""

TIMEOUT_SECONDS = 60.0
"""Maximum silence of the server: the user is waiting."""


class Voice:
    """Transcribes audio; the connection is opened for the first request."""

    def __init__(self, settings: Settings, model: str = MODEL) -> None:
        self.model = model
        self._settings = settings

    @cached_property
    def _client(self) -> "OpenAI":
        from assistant.backends.client import connect  # loads the SDK

        return connect(self._settings).with_options(timeout=TIMEOUT_SECONDS, max_retries=1)

    def transcribe(self, audio: bytes, name: str = "audio.wav") -> str:
        """Return the text of an audio file, whose format is given by the suffix of its name.

        Raises:
            BackendError: There is no text; the message says why.
        """
        if not audio:
            raise RequestRefused(N_("The audio is empty."), code="empty_audio")
        if len(audio) > MAX_AUDIO_BYTES:
            raise RequestRefused(
                N_(
                    "The audio is too long: it has {size} MB, at most {limit} can be "
                    "transcribed. Say it in parts.",
                    size=f"{len(audio) / 1e6:.0f}",
                    limit=MAX_AUDIO_BYTES // 1_000_000,
                ),
                code="too_long",
            )
        from assistant.backends.client import host
        from assistant.backends.error_translation import translate_errors

        try:
            with translate_errors(self._client):
                response: Any = self._client.audio.transcriptions.create(model=self.model, file=(name, audio))
        except RequestRefused as refusal:  # perhaps the model, which has its own setting here
            text = refusal.text
            if isinstance(text, Sentence):
                text = text.with_params(model_setting="ASSISTANT_TRANSCRIBE_MODEL")
            raise RequestRefused(text, code=refusal.code, retry=refusal.retry) from refusal
        transcript = response if isinstance(response, str) else getattr(response, "text", None)
        if not isinstance(transcript, str) or transcript.lstrip()[:1] == "<":
            raise ServerFailed(
                N_("{host} sent no transcription.", host=host(self._client)), code="no_transcription"
            )
        if not transcript.strip():
            raise RequestRefused(N_("Nothing was heard in the audio."), code="nothing_heard")
        return transcript.strip()


def open_voice(settings: Settings) -> Voice | None:
    """Return a transcriber for these settings, or None.

    The demo has none, and a server other than OpenAI's only if the settings name a model for it.
    """
    model = settings.transcribe_model or ("" if settings.base_url else MODEL)
    return Voice(settings, model) if model and not settings.demo else None
