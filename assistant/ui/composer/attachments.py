"""Draw the attachments of a message: small images, and the names and sizes of other files."""

import io

import streamlit as st

from assistant.markdown.escape import escape_markdown
from assistant.messages import Message
from assistant.parts import Attachment
from assistant.ui.images import opened_image

THUMBNAIL_PIXELS = 240
"""Largest width and height of an image on the page."""


def draw_attachments(message: Message) -> None:
    """Draw a message's images, and the names of its other files and of damaged images."""
    images = [(image, _thumbnail(hash(image.data), image)) for image in message.attachments if image.is_image]
    if any(thumbnail for _, thumbnail in images):
        with st.container(horizontal=True, gap="small"):
            for image, thumbnail in images:
                if thumbnail:
                    st.image(thumbnail[0], width=thumbnail[1], caption=None, alt=image.name)
    damaged = [image for image, thumbnail in images if not thumbnail]
    if named := damaged + [file for file in message.attachments if not file.is_image]:
        with st.container(horizontal=True, gap="small"):
            for file in named:
                size = _size_text(len(file.data) * 3 // 4)
                st.caption(f":material/description: {escape_markdown(file.name)} · {size}", width="content")


@st.cache_data(show_spinner=False, max_entries=200)
def _thumbnail(key: int, _image: Attachment) -> tuple[bytes, int] | None:
    """Return the image scaled down, and its width; None if it is damaged or too large. ``key`` is its hash."""
    from PIL import ImageOps  # uses memory, so it is loaded with the first image

    pixels = 2 * THUMBNAIL_PIXELS  # twice, for sharp screens
    try:
        with opened_image(_image.content, pixels) as image:
            image.thumbnail((pixels, pixels))
            image = ImageOps.exif_transpose(image).convert("RGBA")
    except Exception:  # the file is untrusted, and decoders raise anything
        return None
    width = max(1, round(image.width * min(1.0, THUMBNAIL_PIXELS / max(image.size))))
    encoded = io.BytesIO()
    image.save(encoded, "WEBP")
    return encoded.getvalue(), width


def _size_text(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{max(1, round(count / 1000))} kB"
