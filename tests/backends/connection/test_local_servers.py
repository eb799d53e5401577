"""Finding the model servers of this machine."""

import time

import pytest

from assistant.backends.connection.local_servers import LocalServer, find_local_servers
from tests.servers.listing import ListingServer, closed_port, port_of
from tests.variants import quick_first


def test_servers_that_answer_with_a_list_of_models_are_found(server: ListingServer) -> None:
    with (
        ListingServer() as pages,
        ListingServer({"detail": "no"}) as other,
        ListingServer(status=500) as broken,
    ):
        pages.pages = True
        ports = {
            "Closed": closed_port(),
            "Page": port_of(pages),
            "Other": port_of(other),
            "Broken": port_of(broken),
        }
        assert find_local_servers(5, ports | {"Mine": port_of(server)}) == [LocalServer("Mine", server.url)]
    assert server.paths == ["/v1/models"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("trickles", quick_first([False, True]))
def test_the_search_ends_in_time_although_one_server_never_answers(
    server: ListingServer, trickles: bool
) -> None:
    with ListingServer() as silent:
        silent.hangs_at, silent.trickles = "/models", trickles
        started = time.monotonic()
        ports = {"Silent": port_of(silent), "Mine": port_of(server)}
        assert find_local_servers(0.5, ports) == [LocalServer("Mine", server.url)]
        assert time.monotonic() - started < 4
