# SPDX-License-Identifier: Apache-2.0
"""A TCP played by hand at a scripted end: it counts the sequence numbers, you say what is sent."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tcproctor import messages as m
from tcproctor import segments
from tcproctor.aio.session import WAIT_S, Endpoint

_MODULO = 2**32


class Peer:
    """One crafted connection from a scripted end to the other end's `port`.

    `seq` is the next sequence number to send, `ack` the next one expected. Nothing is sent unless a call here
    says so: what the other end retransmits or asks stays unanswered.
    """

    def __init__(self, end: Endpoint, port: int, *, own_port: int = 40000, iss: int = 1000) -> None:
        self.end = end
        self.wire = end.session.wire
        self.port = port
        self.own_port = own_port
        self.seq = iss
        self.ack = 0

    def segment(self, flags: str, payload: bytes = b"", **header: Any) -> m.Segment:
        """A segment of this connection, SEG.SEQ and SEG.ACK as the peer has them unless given."""
        header.setdefault("seq", self.seq)
        if "." in flags or "ACK" in flags:
            header.setdefault("ack", self.ack)
        return segments.tcp(flags, sport=self.own_port, dport=self.port, payload=payload or None, **header)

    async def send(self, flags: str, payload: bytes = b"", **header: Any) -> int:
        """Sends it and counts it, unless SEG.SEQ was given; its number in the log."""
        sent = self.segment(flags, payload, **header)
        answer = await self.wire.inject(self.end.end, sent)
        if "seq" not in header:
            self.seq = (self.seq + sent.length) % _MODULO
        return answer.numbers[0] if answer.numbers else 0

    async def expect(self, flags: str, payload: bytes | None = None, *, timeout: float | None = WAIT_S,
                     skip: bool = False, **header: Any) -> m.ExpectResponse:
        """The next segment of the other end is this one; if so it is counted, but not acknowledged."""
        wanted = segments.tcp(flags, sport=self.port, dport=self.own_port, payload=payload, **header)
        answer = await self.wire.expect(self.end.peer.end, wanted, skip=skip, timeout=timeout)
        if answer and answer.entry and answer.entry.segment:
            got = answer.entry.segment
            self.ack = (got.seq + got.length) % _MODULO
        return answer

    async def handshake(self, options: Sequence[m.TcpOption] = ()) -> None:
        """The active side of the three-way handshake. AssertionError: the answer was another one."""
        await self.send("S", options=options)
        answer = await self.expect("S.", ack=self.seq)
        assert answer, answer
        await self.send(".")

    async def answer_handshake(self, options: Sequence[m.TcpOption] = ()) -> None:
        """The passive side; the other end has sent its SYN, from a port that is taken from it."""
        answer = await self.wire.expect(self.end.peer.end, segments.tcp("S", dport=self.own_port))
        assert answer and answer.entry and answer.entry.segment, answer
        syn = answer.entry.segment
        self.port = syn.header().source_port or 0
        self.ack = (syn.seq + 1) % _MODULO
        await self.send("S.", options=options)
        answer = await self.expect(".", ack=self.seq)
        assert answer, answer
