"""The input and what waits above it: attachments, refused files, and recordings that are not transcribed yet.

What the user typed, attached or recorded is never lost: until it is sent, it is in the input or waits above it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import streamlit as st
from streamlit.typing import ChatInputValue

from assistant.access.quotas import Transcriber
from assistant.attachments import EVERYTHING, THIS_CONNECTION, attach
from assistant.errors import BackendError, QuotaError
from assistant.markdown.escape import escape_markdown
from assistant.messages import Attachment
from assistant.ui import keys
from assistant.ui.language import _, translate
from assistant.ui.quotas import limit_text
from assistant.ui.state import state_of


@dataclass(slots=True)
class Draft:
    """What waits for the next message in this session."""

    attachments: list[Attachment] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Why files were refused or a recording was not transcribed."""
    recording: bytes = b""
    """A recording that could not be transcribed."""
    transcript: str = ""
    """Its text after another try; the user copies it, for the input may hold something else by then."""
    returned: tuple[str, str] | None = None
    """A text for the input, and why it was not sent."""


def read_input(
    value: ChatInputValue | str | None,
    transcriber: Transcriber | None,
    *,
    accepted: Collection[str] = EVERYTHING,
    receiver: str = THIS_CONNECTION,
) -> tuple[str, list[Attachment]]:
    """Return the text and the attachments to send now.

    A recording, or a file that ``receiver`` does not accept, ends the script: it runs again with the text in the
    input, and the rest above it.
    """
    draft = state_of(Draft)
    if value is None or isinstance(value, str):
        return value or "", draft.attachments if value else []
    text = value.text
    files = value.files if "files" in value else []
    attached, problems = attach(
        ((file.name, file.getvalue()) for file in files),
        draft.attachments,
        takes=accepted,
        taker=receiver,
    )
    audio = value.audio if "audio" in value else None
    if audio is None and not problems:
        return text, draft.attachments + attached
    keep_attachments(draft.attachments + attached, problems)
    if audio is not None and transcriber is not None:
        _transcribe_into_input(audio.getvalue(), text, transcriber)
    return_text(text, _("Not sent yet: see above the input."))
    return "", []  # not reached: the script runs again


def return_text(text: str, reason: str) -> None:
    """Run the script again with this text in the input, and show why it was not sent."""
    state_of(Draft).returned = text, reason
    st.rerun()


def draw_returned_text() -> None:
    """Put a returned text into the input, and show why. Call it before the input is drawn."""
    draft = state_of(Draft)
    if draft.returned:
        st.session_state[keys.PROMPT], reason = draft.returned
        draft.returned = None
        st.toast(reason, icon=":material/edit_note:")


def keep_attachments(attachments: list[Attachment], problems: Collection[str] = ()) -> None:
    """Keep attachments for the next message, and the reasons why others were refused."""
    draft = state_of(Draft)
    draft.attachments, draft.problems = attachments, list(problems)


def clear_draft() -> None:
    """Forget what has been sent. A recording without a transcript still waits."""
    draft = state_of(Draft)
    draft.attachments, draft.problems, draft.transcript = [], [], ""


def draw_draft(transcriber: Transcriber | None) -> None:
    """Draw the attachments of the next message, refused files, and a recording that is not transcribed yet."""
    draft = state_of(Draft)
    if draft.problems:
        problems = "  \n".join(escape_markdown(translate(problem)) for problem in draft.problems)
        st.warning(problems, icon=":material/attach_file_off:")
    if transcriber is not None and draft.recording:
        _draw_recording(draft, transcriber)
    if draft.transcript:
        st.caption(_("Transcribed. Copy the text into the input."))
        st.code(draft.transcript, language=None, wrap_lines=True)
    if draft.attachments:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.caption(_("With your next message:"), width="content")
            for number, attachment in enumerate(draft.attachments):
                st.button(
                    escape_markdown(attachment.name),
                    key=keys.detach(number),
                    icon=":material/close:",
                    help=_("Remove"),
                    on_click=_detach,
                    args=[number],
                )


def _detach(number: int) -> None:
    attachments = state_of(Draft).attachments
    keep_attachments(attachments[:number] + attachments[number + 1 :])


def _draw_recording(draft: Draft, transcriber: Transcriber) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.audio(draft.recording, format="audio/wav", width=240)
        if st.button(_("Transcribe again"), key=keys.TRANSCRIBE_AGAIN, icon=":material/refresh:"):
            _transcribe_again(draft, transcriber)
        st.button(
            _("Discard"), key=keys.DISCARD_RECORDING, icon=":material/delete:", on_click=_discard_recording
        )


def _discard_recording() -> None:
    state_of(Draft).recording = b""


def _transcribe_into_input(recording: bytes, text: str, transcriber: Transcriber) -> None:
    """Add what was said to the text in the input; keep the recording if that fails."""
    draft = state_of(Draft)
    try:
        with st.spinner(_("Transcribing…")):
            transcript = transcriber.transcribe(recording)
    except (BackendError, QuotaError) as error:
        draft.recording = recording
        keep_attachments(draft.attachments, [*draft.problems, _transcription_problem(error)])
        return_text(text, _("Your recording was not transcribed."))
    return_text(f"{text.rstrip()} {transcript}".strip(), _("Transcribed. Check the text and send it."))


def _transcribe_again(draft: Draft, transcriber: Transcriber) -> None:
    try:
        with st.spinner(_("Transcribing…")):
            draft.transcript = transcriber.transcribe(draft.recording)
    except (BackendError, QuotaError) as error:
        keep_attachments(draft.attachments, [_transcription_problem(error)])
    else:
        keep_attachments(draft.attachments)
        draft.recording = b""
    st.rerun()


def _transcription_problem(error: BackendError | QuotaError) -> str:
    why = limit_text(error) if isinstance(error, QuotaError) else translate(error.text)
    return _("The recording could not be transcribed. {why}", why=why)
