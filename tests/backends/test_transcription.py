"""Voice input: where it is offered, what is sent, and how it fails."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant.backends.transcription import MAX_AUDIO_BYTES, transcribe, transcription_model
from assistant.errors import BackendError
from assistant.settings import Settings
from tests.servers.responses import Handler, ModelServer
from tests.ui.page import chat_of

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


class Ears(Handler):
    """Answers ``/audio/transcriptions`` with the next of the model's ``responses``, whatever is sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.model.requests.append({"path": self.path, "body": body})
        self._send(*self.model.responses.pop(0))  # type: ignore[attr-defined]


class TranscriptionServer(ModelServer):
    def __init__(self) -> None:
        super().__init__()
        self.responses: list[tuple[Any, ...]] = []

    def handler(self) -> type[Handler]:
        return Ears


@pytest.fixture
def server() -> Iterator[TranscriptionServer]:
    with TranscriptionServer() as server:
        yield server


@pytest.fixture
def settings(server: TranscriptionServer) -> Settings:
    return Settings(base_url=server.url, api_key="sk-secret", transcribe_model="whisper")


def parts(body: bytes) -> dict[str, bytes]:
    """Return the fields of a form (RFC 7578)."""
    boundary = body.split(b"\r\n", 1)[0]
    found = {}
    for part in body.split(boundary)[1:-1]:
        head, content = part.split(b"\r\n\r\n", 1)
        (name,) = re.findall(rb'; name="(\w+)"', head)
        found[name.decode()] = content.removesuffix(b"\r\n")
    return found


def test_audio_is_transcribed(server: TranscriptionServer, settings: Settings) -> None:
    server.responses = [(200, {"text": " Grüße aus 東京. \n", "usage": {"type": "duration", "seconds": 2}})]
    assert transcribe(settings, WAV) == "Grüße aus 東京."
    (request,) = server.requests
    assert request["path"] == "/v1/audio/transcriptions"
    assert parts(request["body"]) == {"model": b"whisper", "file": WAV}
    assert b'filename="audio.wav"' in request["body"]


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ((200, {"text": "  \n"}), "Nothing was heard in the audio."),
        ((200, {"nothing": 1}), "{host} sent no transcription."),
        ((200, {"text": None}), "{host} sent no transcription."),
        ((200, b"<!doctype html>", (("content-type", "text/html"),)), "{host} sent no transcription."),
        (
            (200, b"{", (("content-type", "application/json"),)),
            "{host} sent something that is not JSON. Try again, or check OPENAI_BASE_URL.",
        ),
        (
            (400, {"error": {"message": "Audio file is too short."}}),
            "{host} refused the request. It says: Audio file is too short.",
        ),
        (
            (404, {"error": {"message": "Not found"}}),
            "{host} does not know this address or model. Check OPENAI_BASE_URL (it usually ends in /v1) "
            "and ASSISTANT_TRANSCRIBE_MODEL. It says: Not found",
        ),
        (
            (401, {"error": {"message": "Bad key sk-secret."}}),
            "{host} does not accept the key. Check OPENAI_API_KEY: it may be mistyped, expired or revoked.",
        ),
    ],
)
def test_a_failed_transcription_gives_one_sentence(
    server: TranscriptionServer, settings: Settings, response: tuple[Any, ...], words: str
) -> None:
    server.responses = [response]
    with pytest.raises(BackendError) as caught:
        transcribe(settings, WAV)
    assert str(caught.value) == words.format(host=server.url.split("/")[2])


def test_empty_or_oversized_audio_is_not_sent(server: TranscriptionServer, settings: Settings) -> None:
    for audio, words in (
        (b"", "The audio is empty."),
        (
            bytes(MAX_AUDIO_BYTES + 1),
            "The audio is too long: it has 25 MB, at most 25 can be transcribed. Say it in parts.",
        ),
    ):
        with pytest.raises(BackendError) as caught:
            transcribe(settings, audio)
        assert str(caught.value) == words
    assert server.requests == []


def test_voice_input_is_offered_only_with_a_transcription_model() -> None:
    elsewhere = Settings(base_url="http://localhost:11434/v1")
    for settings, model in (
        (Settings(), ""),
        (Settings(transcribe_model="gpt-transcribe"), ""),
        (elsewhere, ""),
        (Settings(api_key="sk-x"), "gpt-transcribe"),
        (Settings(api_key="sk-x", transcribe_model="whisper-1"), "whisper-1"),
        (Settings(base_url=elsewhere.base_url, transcribe_model="w"), "w"),
    ):
        assert transcription_model(settings) == model


# --- on the page -------------------------------------------------------------------------------------


def page() -> None:
    """Draw the input as the page does; a test puts the browser's part into the session."""
    import io

    import streamlit as st
    from streamlit.typing import ChatInputValue

    from assistant.ui.composer.message_input import draw_unsent, read_submission

    session = st.session_state.session
    value = None
    if submission := st.session_state.pop("submission", None):
        words, files, audio = submission

        def upload(name: str, content: bytes) -> io.BytesIO:
            file = io.BytesIO(content)
            file.name = name
            return file

        value = ChatInputValue(
            words,
            [upload(*file) for file in files],  # type: ignore[misc]
            upload("audio.wav", audio) if audio else None,  # type: ignore[arg-type]
            _include_files=True,
            _include_audio=True,
        )
    words, attached = read_submission(session, value)
    if draft := session.composer.take_draft():
        st.text(f"back in the input: {draft.text!r}, {draft.reason}")
    if words or attached:
        st.text(f"sent: {words!r}, {[each.name for each in attached]}")
        session.composer.clear()
    draw_unsent(session)


@pytest.fixture
def app(settings: Settings) -> AppTest:
    app = AppTest.from_function(page)
    app.session_state.session = chat_of([])
    app.session_state.session.connection.settings = settings
    return app


def says(app: AppTest, words: str, files: list[tuple[str, bytes]], audio: bytes = b"") -> list[str]:
    app.session_state.submission = words, files, audio
    app.run()
    assert not app.exception
    return [each.value for each in app.text]


def test_the_transcript_follows_the_typed_text_and_files_wait(
    server: TranscriptionServer, app: AppTest
) -> None:
    server.responses = [(200, {"text": "what is this?"})]
    assert says(app, "Look,", [("a.txt", b"a")], WAV) == [
        "back in the input: 'Look, what is this?', Transcribed. Check the text, then send it."
    ]
    assert [each.label for each in app.button] == ["a\\.txt"]
    assert says(app, "Look, what is that?", []) == ["sent: 'Look, what is that?', ['a.txt']"]
    assert not app.button


def test_audio_that_failed_is_kept_and_can_be_retried(server: TranscriptionServer, app: AppTest) -> None:
    broken = (400, {"error": {"message": "No."}})
    server.responses = [broken, broken, (200, {"text": "hello"})]
    assert says(app, "Typed", [], WAV) == ["back in the input: 'Typed', The audio was not transcribed."]
    refused = f"{server.url.split('/')[2]} refused the request. It says: No."
    assert [each.value.replace("\\", "") for each in app.warning] == [
        f"The audio could not be transcribed. {refused}"
    ]
    app.button(key="transcribe_again").click().run()
    assert len(app.warning) == 1
    app.button(key="transcribe_again").click().run()
    assert [each.value for each in app.code] == ["hello"]
    assert not app.warning
    assert not app.button
    assert says(app, "hello", []) == ["sent: 'hello', []"]
    assert not app.code


def test_audio_can_be_discarded(server: TranscriptionServer, app: AppTest) -> None:
    server.responses = [(400, {"error": {"message": "No."}})]
    says(app, "", [], WAV)
    app.button(key="discard_audio").click().run()
    assert not app.button


def test_unsupported_files_hold_the_message_back_and_nothing_is_lost(app: AppTest) -> None:
    files = [("a.txt", b"a"), ("b.zip", b"PK\xff\xff"), ("c.txt", b"c")]
    assert says(app, "See", files) == ["back in the input: 'See', Not sent yet: see above the input."]
    assert [each.value.replace("\\", "") for each in app.warning] == [
        "b.zip has an unsupported type. Supported: PNG, JPEG, WebP and GIF images, PDF files, and text "
        "files of any kind."
    ]
    app.button(key="detach_0").click().run()
    assert not app.warning
    assert says(app, "See", []) == ["sent: 'See', ['c.txt']"]
    assert says(app, "More", [("d.txt", b"d")]) == ["sent: 'More', ['d.txt']"]
    assert app.session_state.session.composer.attachments == []
