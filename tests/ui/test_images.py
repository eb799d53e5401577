"""Images whose files are small and whose pictures are huge are not decoded."""

import base64
import io
import struct
import zlib

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from assistant.tools.view_checks import ViewError
from assistant.ui.images import MAX_DECODED_PIXELS, opened_image


def bomb(width: int, height: int) -> bytes:
    """Return a PNG file of a few kilobytes that is decoded to four bytes per pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    row = b"\0" * (1 + 4 * width)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(width: int, height: int, **options: bool) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "JPEG", **options)
    return file.getvalue()


BOMB = bomb(5_000, 4_000)


def attached_page(data: str) -> None:
    from assistant.messages import Message
    from assistant.parts import Attachment
    from assistant.ui.composer.attachments import draw_attachments

    draw_attachments(Message("user", [Attachment("huge.png", "image/png", data)]))


def view_page(data: str) -> None:
    from assistant.events import View
    from assistant.ui.chat.calls.views import draw_view

    draw_view(View("image", "huge.png", data), "key")


@pytest.mark.parametrize("page", [attached_page, view_page])
def test_a_bomb_is_named_and_not_decoded(page: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: Image.Image) -> None:
        raise AssertionError(f"{self.size} is decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    app = AppTest.from_function(page, args=[base64.b64encode(BOMB).decode()], default_timeout=20).run()  # type: ignore[arg-type]
    assert not app.exception
    assert not app.get("imgs")
    assert len(app.caption) == 1


@pytest.mark.exhaustive
def test_only_images_of_a_bounded_size_are_decoded() -> None:
    with opened_image(bomb(100, 50)) as image:
        assert image.size == (100, 50)
    with pytest.raises(ViewError, match="5,000 x 4,000"), opened_image(BOMB, thumbnail_pixels=480):
        pass
    photo = jpeg(7_000, 6_000)
    with opened_image(photo, thumbnail_pixels=480) as image:  # the decoder makes it smaller
        assert image.size[0] * image.size[1] < MAX_DECODED_PIXELS
    with pytest.raises(ViewError), opened_image(photo):
        pass
    with pytest.raises(ViewError), opened_image(jpeg(7_000, 6_000, progressive=True), thumbnail_pixels=480):
        pass
