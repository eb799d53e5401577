"""Files that a program sends to the server's upload address, before and after the password."""

import re
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.access.visitors import Visitor, arriving, served, upload
from tests.waiting import until

pytestmark = pytest.mark.exhaustive

MEGABYTE = 1_000_000
FILE = b"a" * (19 * MEGABYTE)
STORED = re.compile(rb"cache_memory_bytes\{[^}]*UploadedFileManager[^}]*\} (\d+)")


def stored_bytes(address: str) -> int:
    with urlopen(f"{address}/_stcore/metrics") as response:
        return sum(int(found) for found in STORED.findall(response.read()))


def test_a_file_of_someone_who_is_not_logged_in_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with served(tmp_path, ASSISTANT_PASSWORD="open sesame") as page, Visitor(page) as visitor:
        address, session_id = page.rstrip("/"), visitor.session_id
        assert upload(address, session_id, "0", FILE, sent=1_000) == 400
        assert upload(address, session_id, "1", b"small") == 400
        assert stored_bytes(address) == 0


def test_only_so_many_bytes_are_kept_of_a_session_and_of_all(tmp_path: Path) -> None:
    with served(tmp_path) as page, ExitStack() as sessions:
        address = page.rstrip("/")
        first, *others = [sessions.enter_context(Visitor(page)).session_id for _ in range(4)]
        for number in range(6):
            assert upload(address, first, str(number), FILE) == 204
        assert stored_bytes(address) == 95 * MEGABYTE
        statuses = [upload(address, other, str(number), FILE) for other in others for number in range(5)]
        assert statuses == [204] * 8 + [400] * 7
        # The server counts them again after a few seconds.
        until(lambda: stored_bytes(address) == 13 * 19 * MEGABYTE, "it keeps no more")
        assert upload(address, others[-1], "last", FILE, sent=1_000) == 400, "and reads no more"


def test_files_that_arrive_count_as_well(tmp_path: Path) -> None:
    with served(tmp_path) as page, Visitor(page) as visitor, ExitStack() as files:
        address, session_id = page.rstrip("/"), visitor.session_id
        for number in range(11):
            connection = files.enter_context(arriving(address, session_id, str(number), FILE))
            connection.send(FILE[:1_000])
        until(lambda: upload(address, session_id, "last", FILE, sent=1_000) == 400, "too many arrive")
        files.close()
        until(lambda: upload(address, session_id, "last", b"small") == 204, "they have ended")
