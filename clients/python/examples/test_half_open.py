# SPDX-License-Identifier: Apache-2.0
"""One side crashed and forgot the connection: how the other finds out (RFC 9293 §3.5.2)."""
import pytest

from tcproctor import Outcome


@pytest.fixture
def half_open(endpoint, peer):
    """An established connection whose peer has forgotten it."""
    listener = endpoint.listen(80)
    client = peer(80, iss=100)
    client.handshake()
    connection = listener.accept()
    assert connection.state().name == "ESTABLISHED"
    return client, connection


def test_discovery_by_a_new_syn(half_open, wire):
    """Figure 9: the SYN of a new life is answered with an ACK, that with a RST."""
    client, connection = half_open
    wanted, expected = client.seq, client.ack
    client.send("S", seq=400)
    assert client.expect(".", seq=expected, ack=wanted)
    assert connection.state().name == "ESTABLISHED"

    client.send("R", seq=wanted)
    assert connection.wait_state("CLOSED").name == "CLOSED"
    assert connection.receive().outcome is Outcome.CONNECTION_RESET
    assert wire.silence("B", 0.3)


def test_discovery_by_data(half_open, wire):
    """Figure 10: data into the void is answered with a RST."""
    client, connection = half_open
    connection.send(b"are you there?")
    data = client.expect(".P", payload=b"are you there?", ack=client.seq)
    assert data

    client.send("R", seq=data.entry.ack)
    assert connection.wait_state("CLOSED").name == "CLOSED"
    assert connection.receive().outcome is Outcome.CONNECTION_RESET
