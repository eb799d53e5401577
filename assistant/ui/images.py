"""Images whose size is known before they are decoded: a small file may have a huge picture."""

import io
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import streamlit as st

from assistant.tools.view_checks import ViewError

MAX_DECODED_PIXELS = 16_000_000
"""Size of the largest image that is decoded, which takes 64 MB."""

MAX_SCALED_PIXELS = 50_000_000
"""Size of the largest JPEG image, of which the decoder itself makes a smaller one."""

_decoding = threading.Lock()


@contextmanager
def opened_image(content: bytes, thumbnail_pixels: int = 0) -> Iterator[Any]:
    """Open an image to decode it, one at a time in the process.

    ``thumbnail_pixels`` is the width and height that are needed, if the image is only needed in small.

    Raises:
        ViewError: It is too large.
    """
    from PIL import Image  # uses memory, so it is loaded with the first image

    with _decoding:
        image = Image.open(io.BytesIO(content))
        width, height = image.size
        if thumbnail_pixels and not image.info.get("progressive") and width * height <= MAX_SCALED_PIXELS:
            image.draft("RGB", (thumbnail_pixels, thumbnail_pixels))
        if math.prod(image.size) > MAX_DECODED_PIXELS:
            raise ViewError(
                f"an image of {width:,} x {height:,} pixels. The most is {MAX_DECODED_PIXELS:,} in all."
            )
        yield image


def draw_image(
    content: bytes,
    caption: str | None = None,
    *,
    alt: str | None = None,
    width: Literal["content", "stretch"] = "content",
) -> None:
    """Draw an image, which Streamlit may decode to make it smaller.

    Raises:
        ViewError: It is too large.
    """
    with opened_image(content):
        st.image(content, caption, width, alt=alt)
