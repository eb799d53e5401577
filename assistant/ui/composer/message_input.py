"""The input: text, files and speech for the next message, and what waits above it.

Nothing that was typed, attached or spoken is lost before it is sent: it returns to the input or waits above
it.
"""

import time
from dataclasses import dataclass

import streamlit as st
from streamlit.typing import ChatInputValue

from assistant.backends.attachments import accepted_kinds
from assistant.errors import BackendError, QuotaError
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.parts import Attachment
from assistant.session import ChatSession, Draft
from assistant.ui import keys
from assistant.ui.language import _, translate
from assistant.ui.quotas import limit_text
from assistant.ui.state import state_of
from assistant.uploads import MAX_FILE_BYTES, MEGABYTE, THIS_CONNECTION, attach, file_types

Submission = tuple[str, list[Attachment]]
"""The text and the attachments of a message."""

RESTORE_SECONDS = 0.5
"""For how long text that has returned to the input is put there again whenever the page is drawn."""


@dataclass(slots=True)
class RestoredText:
    """Text that has just returned to the input, and until when it is put there again."""

    text: str = ""
    until: float = 0.0


def draw_composer(session: ChatSession) -> Submission:
    """Draw the input and return what the user sends; nothing if some of it has to be looked at first."""
    _restore_draft(session)
    value = st.chat_input(
        _("Ask anything"),
        key=keys.PROMPT,
        accept_file="multiple",
        file_type=file_types(_accepted_kinds(session)),
        max_upload_size=MAX_FILE_BYTES // MEGABYTE,
        accept_audio=session.connection.can_transcribe,
    )
    return read_submission(session, value)


def _restore_draft(session: ChatSession) -> None:
    """Put a draft into the input.

    It is put there again for a moment: of an input that is drawn twice in a row, a browser may get the second
    version alone.
    """
    restored, now = state_of(RestoredText), time.monotonic()
    if draft := session.composer.take_draft():
        restored.text, restored.until = draft.text, now + RESTORE_SECONDS
        if draft.reason:
            st.toast(translate(draft.reason), icon=":material/edit_note:")
    elif st.session_state.get(keys.PROMPT):
        restored.until = 0.0  # the user sends something
    if now >= restored.until:
        return
    st.session_state[keys.PROMPT] = restored.text


def read_submission(session: ChatSession, value: ChatInputValue | str | None) -> Submission:
    """Return the text and attachments in the value of the input.

    If a file was refused, or audio was recorded, nothing is sent: the text becomes a draft.
    """
    if value is None or isinstance(value, str):
        return value or "", session.composer.attachments if value else []
    composer, connection = session.composer, session.connection
    text = value.text
    files = value.files if "files" in value else []
    audio = value.audio if "audio" in value else None
    attached, problems = attach(
        ((file.name, file.getvalue()) for file in files),
        composer.attachments,
        accepted_kinds=_accepted_kinds(session),
        recipient=N_("the built-in demo") if connection.settings.demo else THIS_CONNECTION,
    )
    attachments = composer.attachments + attached
    if audio is None and not problems:
        return text, attachments
    composer.attachments, composer.problems = attachments, problems
    composer.draft = Draft(text, N_("Not sent yet: see above the input."))
    if audio is not None and connection.can_transcribe:
        composer.draft = _transcribe(session, audio.getvalue(), text)
    return "", []


def _accepted_kinds(session: ChatSession) -> tuple[str, ...]:
    return accepted_kinds(session.connection.backend.protocol, demo=session.connection.settings.demo)


def draw_unsent(session: ChatSession) -> None:
    """Draw what goes with the next message, which files do not, and audio without a transcript."""
    composer = session.composer
    if composer.problems:
        lines = "  \n".join(escape_markdown(translate(problem)) for problem in composer.problems)
        st.warning(lines, icon=":material/attach_file_off:")
    if session.connection.can_transcribe and composer.audio:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.audio(composer.audio, format="audio/wav", width=240)
            if st.button(_("Transcribe again"), key=keys.TRANSCRIBE_AGAIN, icon=":material/refresh:"):
                _transcribe_again(session, composer.audio)
            st.button(
                _("Discard"),
                key=keys.DISCARD_AUDIO,
                icon=":material/delete:",
                on_click=setattr,
                args=[composer, "audio", None],
            )
    if composer.transcript:
        st.caption(_("Transcript. Copy it into the input."))
        st.code(composer.transcript, language=None, wrap_lines=True)
    if composer.attachments:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.caption(_("With your next message:"), width="content")
            for number, attachment in enumerate(composer.attachments):
                st.button(
                    escape_markdown(attachment.name),
                    key=keys.detach(number),
                    icon=":material/close:",
                    help=_("Remove"),
                    on_click=composer.detach,
                    args=[number],
                )


def _transcribe(session: ChatSession, audio: bytes, text: str) -> Draft:
    """Return a draft with the transcript behind the text; keep the audio if that fails."""
    try:
        with st.spinner(_("Transcribing…")):
            transcript = session.connection.transcribe(audio)
    except (BackendError, QuotaError) as error:
        session.composer.audio = audio
        session.composer.problems.append(_transcription_problem(error))
        return Draft(text, N_("The audio was not transcribed."))
    return Draft(f"{text.rstrip()} {transcript}".strip(), N_("Transcribed. Check the text, then send it."))


def _transcribe_again(session: ChatSession, audio: bytes) -> None:
    """Show the transcript to be copied, because the input may hold other text by now."""
    session.composer.problems = []
    try:
        with st.spinner(_("Transcribing…")):
            session.composer.transcript = session.connection.transcribe(audio)
        session.composer.audio = None
    except (BackendError, QuotaError) as error:
        session.composer.problems = [_transcription_problem(error)]
    st.rerun()


def _transcription_problem(error: BackendError | QuotaError) -> str:
    why = limit_text(error) if isinstance(error, QuotaError) else error.text
    return N_("The audio could not be transcribed. {why}", why=why)
