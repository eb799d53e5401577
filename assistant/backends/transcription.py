"""Transcribe what the user says into the microphone; the user reads the text before it is sent."""

from typing import Any

from assistant.backends.requests import call_with_retries
from assistant.errors import RequestRefused, ServerFailed
from assistant.locale import N_, Sentence
from assistant.settings import Settings

MODEL = "gpt-transcribe"

MAX_AUDIO_BYTES = 25_000_000  # maximum size of an audio file (API reference, "Create transcription")
TIMEOUT_SECONDS = 60.0  # maximum silence of the server: the user is waiting


def transcription_model(settings: Settings) -> str:
    """Return the model that transcribes audio; "" if there is none.

    The demo has none, and a server other than OpenAI's only if the settings name a model for it.
    """
    if settings.demo:
        return ""
    return settings.transcribe_model or ("" if settings.base_url else MODEL)


def transcribe(settings: Settings, audio: bytes) -> str:
    """Return the text of a WAV file.

    Raises:
        BackendError: There is no text; the message says why.
    """
    if not audio:
        raise RequestRefused(N_("The audio is empty."), code="empty_audio")
    if len(audio) > MAX_AUDIO_BYTES:
        too_long = N_(
            "The audio is too long: it has {size} MB, at most {limit} can be transcribed. Say it in parts.",
            size=f"{len(audio) / 1e6:.0f}",
            limit=MAX_AUDIO_BYTES // 1_000_000,
        )
        raise RequestRefused(too_long, code="too_long")
    from assistant.backends.client import connect, host  # loads the SDK
    from assistant.backends.error_translation import translate_errors

    def request() -> Any:
        with translate_errors(client):
            return client.audio.transcriptions.create(
                model=transcription_model(settings), file=("audio.wav", audio)
            )

    with connect(settings).with_options(timeout=TIMEOUT_SECONDS) as client:
        try:
            response = call_with_retries(request)
        except RequestRefused as refusal:  # perhaps the model, which has its own setting here
            text = refusal.text
            if isinstance(text, Sentence):
                text = text.with_params(model_setting="ASSISTANT_TRANSCRIBE_MODEL")
            raise RequestRefused(text, code=refusal.code, retry=refusal.retry) from refusal
        transcript = response if isinstance(response, str) else getattr(response, "text", None)
        if not isinstance(transcript, str) or transcript.lstrip()[:1] == "<":
            raise ServerFailed(
                N_("{host} sent no transcription.", host=host(client)), code="no_transcription"
            )
    if not transcript.strip():
        raise RequestRefused(N_("Nothing was heard in the audio."), code="nothing_heard")
    return transcript.strip()
