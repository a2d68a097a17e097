# SPDX-License-Identifier: Apache-2.0
"""A blind attacker sends RST in the peer's name: what it does depends on where it falls (RFC 5961 §3.2)."""
import pytest

from tcproctor import Outcome, tcp


@pytest.mark.parametrize("place, offset", [("outside the window", -1000), ("inside the window", 1000),
                                           ("exactly RCV.NXT", 0)])
def test_blind_reset(endpoint, wire, peer, place, offset):
    listener = endpoint.listen(80)
    client = peer(80)
    client.handshake()
    connection = listener.accept()

    attack = client.send("R", seq=client.seq + offset)

    if place == "inside the window":
        # A challenge ACK: the real peer, if it is the sender, answers it with the right sequence number.
        assert wire.expect("B", tcp(".", seq=client.ack, ack=client.seq), after=attack, timeout=1)
    else:
        assert wire.silence("B", 0.3, after=attack)

    if place == "exactly RCV.NXT":
        assert connection.wait_state("CLOSED").name == "CLOSED"
        assert connection.receive().outcome is Outcome.CONNECTION_RESET
    else:
        assert connection.state().name == "ESTABLISHED"
        client.send(".P", b"still here")
        assert connection.receive().data == b"still here"
