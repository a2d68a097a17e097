# SPDX-License-Identifier: Apache-2.0
"""Two ladders of RFC 9293 between two real TCPs: the target is B, the other TCP is A."""
import pytest

from tcproctor import Flags, Outcome, tcp

pytestmark = pytest.mark.tcproctor(peer="other")


def test_three_way_handshake(endpoint, wire):
    """RFC 9293 §3.5, Figure 6."""
    listener = endpoint.listen(80)
    client = endpoint.peer.connect(80)
    assert client.outcome is Outcome.OK
    server = listener.accept()
    assert server.outcome is Outcome.OK
    assert client.wait_state("ESTABLISHED").name == server.wait_state("ESTABLISHED").name == "ESTABLISHED"

    syn, syn_ack, ack = wire.log()
    assert (syn.flags, syn_ack.flags, ack.flags) == (Flags.SYN, Flags.SYN | Flags.ACK, Flags.ACK)
    assert syn_ack.ack == (syn.seq + 1) % 2**32
    assert ack.seq == syn_ack.ack
    assert ack.ack == (syn_ack.seq + 1) % 2**32
    assert not ack.payload


def test_simultaneous_close(endpoint, wire):
    """RFC 9293 §3.6, Figure 13: the FINs cross, both TCPs go through CLOSING to TIME-WAIT."""
    listener = endpoint.listen(80)
    a = endpoint.peer.connect(80)
    b = listener.accept()

    wire.hold("A")
    wire.hold("B")
    assert a.close() is Outcome.OK
    assert b.close() is Outcome.OK
    fins = [wire.expect(end, tcp("F."), skip=True) for end in "AB"]
    assert all(fins), fins
    assert {a.state().name, b.state().name} == {"FIN_WAIT_1"}

    wire.release(*(fin.entry.number for fin in fins))
    assert a.wait_state("CLOSING").name == b.wait_state("CLOSING").name == "CLOSING"

    wire.end_hold("A")
    wire.end_hold("B")
    wire.release()
    assert a.wait_state("TIME-WAIT").name == b.wait_state("TIME-WAIT").name == "TIME_WAIT"
