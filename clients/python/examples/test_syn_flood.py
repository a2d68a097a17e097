# SPDX-License-Identifier: Apache-2.0
"""A SYN flood (RFC 4987): clients that mean it still get through."""
import pytest

from tcproctor import Outcome, mss, tcp

FLOOD = 20_000


@pytest.mark.tcproctor(peer="other", lease=60)
def test_legitimate_clients_connect(endpoint, wire):
    listener = endpoint.listen(80)
    # Twenty times the backlog's room for half-open connections, ten thousand SYNs a second, for two seconds.
    flood = wire.flood("A", tcp("S", dport=80, options=[mss(1460)]), count=FLOOD, rate=10_000,
                       source_prefix="198.18.0.0/15", seed=1, unlogged=True, background=True)
    assert flood

    for number in range(10):
        client = endpoint.peer.connect(80)
        assert client.outcome is Outcome.OK
        server = listener.accept()
        assert server.outcome is Outcome.OK
        client.send(b"%d" % number)
        assert server.receive().data == b"%d" % number
        # What a flood leaves behind is no reason to forget who is there.
        assert client.state().name == server.state().name == "ESTABLISHED"

    half_open = listener.status().half_open
    assert half_open.count > 0 or half_open.cookies_sent > 0
