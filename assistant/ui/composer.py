"""Attachments on the page: what waits above the input, what goes with a message, and how a message shows it.

Not here: what can be attached (``attachments.py``), what a recording says (``backends/voice.py``).

The one rule: what was typed, attached or spoken and is not sent yet is never lost; it goes back to the input,
or waits above it.
"""

import io
import math
from collections.abc import Collection
from typing import Any

import streamlit as st
from streamlit.typing import ChatInputValue

from assistant.access.quotas import Transcriber
from assistant.attachments import EVERYTHING, THIS_CONNECTION, attach
from assistant.errors import BackendError, QuotaError
from assistant.messages import Attachment, Message
from assistant.ui.chat.tool_call import plain
from assistant.ui.language import _, translate
from assistant.ui.quotas import limit_text

WIDE = 240
"""Pixels that an image takes at most, each way."""

MOST_PIXELS = 50_000_000
"""Of the largest image that is opened to be shown."""


def submitted(
    value: ChatInputValue | str | None,
    voice: Transcriber | None,
    *,
    takes: Collection[str] = EVERYTHING,
    taker: str = THIS_CONNECTION,
) -> tuple[str, list[Attachment]]:
    """What is to be sent now: the text, and what goes with it; nothing where it must be looked at first.

    What was refused, or spoken, begins the page anew: with the text in the input, what can be sent above it,
    and what is to be said of it.
    """
    if value is None or isinstance(value, str):
        return value or "", _waiting() if value else []
    text, waiting = value.text, _waiting()
    files = value.files if "files" in value else []
    attached, problems = attach(
        ((file.name, file.getvalue()) for file in files), waiting, takes=takes, taker=taker
    )
    audio = value.audio if "audio" in value else None
    if audio is None and not problems:
        return text, waiting + attached
    hold(waiting + attached, problems)
    if audio is not None and voice is not None:
        _write_down(audio.getvalue(), text, voice)
    put_back(text, _("It is not sent yet: see above the input."))
    return "", []  # the page begins anew


def put_back(text: str, reason: str) -> None:
    """Begin the page anew with this text in the input, and say why."""
    st.session_state.unsent = text, reason
    st.rerun()


def hold(attachments: list[Attachment], problems: Collection[str] = ()) -> None:
    """Keep these for the next message, and what is to be said of others."""
    st.session_state.attached, st.session_state.not_attached = attachments, list(problems)


def release() -> None:
    """Forget what waited: it is sent. A recording that nobody has read yet still waits."""
    for name in ("attached", "not_attached", "heard"):
        st.session_state.pop(name, None)


def draw_waiting(voice: Transcriber | None) -> None:
    """Show what goes with the next message, what does not, and a recording that is not written down yet."""
    if problems := st.session_state.get("not_attached"):
        st.warning(
            "  \n".join(plain(translate(each)) for each in problems), icon=":material/attach_file_off:"
        )
    if voice is not None and (recording := st.session_state.get("recording")):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.audio(recording, format="audio/wav", width=240)
            if st.button(_("Transcribe again"), key="transcribe_again", icon=":material/refresh:"):
                _write_down_later(recording, voice)
            st.button(
                _("Discard"),
                key="discard_recording",
                icon=":material/delete:",
                on_click=st.session_state.pop,
                args=["recording"],
            )
    if heard := st.session_state.get("heard"):
        st.caption(_("This was heard. Copy it into the input."))
        st.code(heard, language=None, wrap_lines=True)
    if waiting := _waiting():
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.caption(_("With your next message:"), width="content")
            for number, attachment in enumerate(waiting):
                st.button(
                    plain(attachment.name),
                    key=f"detach_{number}",
                    icon=":material/close:",
                    help=_("Do not send it"),
                    on_click=_detach,
                    args=[number],
                )


def draw_attachments(message: Message) -> None:
    """Show a message's images, small, and the names of its files."""
    shown = [(each, _thumbnail(hash(each.data), each)) for each in message.attachments if each.is_image]
    if any(small for _, small in shown):
        with st.container(horizontal=True, gap="small"):
            for attachment, small in shown:
                if small:
                    st.image(small[0], width=small[1], caption=None, alt=attachment.name)
    files = [each for each in message.attachments if not each.is_image]
    if names := [each for each, small in shown if not small] + files:
        with st.container(horizontal=True, gap="small"):
            for each in names:
                size = _size(len(each.data) * 3 // 4)
                st.caption(f":material/description: {plain(each.name)} · {size}", width="content")


@st.cache_data(show_spinner=False, max_entries=200)
def _thumbnail(number: int, _attachment: Attachment) -> tuple[bytes, int] | None:
    """The image, small, and how wide it is shown; None if it is damaged. ``number`` stands for its bytes."""
    from PIL import Image, ImageOps  # not before there is an image: it takes memory

    try:
        image: Any = Image.open(io.BytesIO(_attachment.content))
        if math.prod(image.size) > MOST_PIXELS:
            return None
        image.draft("RGB", (2 * WIDE, 2 * WIDE))
        image.thumbnail((2 * WIDE, 2 * WIDE))
        image = ImageOps.exif_transpose(image).convert("RGBA")
    except Exception:  # whatever is wrong with it: it is a stranger's
        return None
    shown = max(1, round(image.width * min(1.0, WIDE / max(image.size))))
    written = io.BytesIO()
    image.save(written, "WEBP")
    return written.getvalue(), shown


def _write_down(recording: bytes, text: str, voice: Transcriber) -> None:
    """Put what is said in a recording behind the text in the input; keep it where that fails."""
    try:
        with st.spinner(_("Writing down what you said …")):
            heard = voice.transcribe(recording)
    except (BackendError, QuotaError) as error:
        st.session_state.recording = recording
        hold(_waiting(), [*st.session_state.get("not_attached", []), _not_heard(error)])
        put_back(text, _("The recording is not written down."))
    put_back(f"{text.rstrip()} {heard}".strip(), _("This was heard. Change what is wrong, and send it."))


def _write_down_later(recording: bytes, voice: Transcriber) -> None:
    """The same, for a recording that was kept: shown to be copied, for the input may hold something else."""
    try:
        with st.spinner(_("Writing down what you said …")):
            heard = voice.transcribe(recording)
    except (BackendError, QuotaError) as error:
        hold(_waiting(), [_not_heard(error)])
    else:
        st.session_state.heard = heard
        hold(_waiting())
        st.session_state.pop("recording", None)
    st.rerun()


def _not_heard(error: BackendError | QuotaError) -> str:
    why = limit_text(error) if isinstance(error, QuotaError) else translate(str(error))
    return _("The recording could not be transcribed. {why}", why=why)


def _waiting() -> list[Attachment]:
    """What goes with the next message; nothing after an edit reloaded the package."""
    return [each for each in st.session_state.get("attached", []) if isinstance(each, Attachment)]


def _detach(number: int) -> None:
    hold(_waiting()[:number] + _waiting()[number + 1 :])


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{max(1, round(count / 1000))} kB"
