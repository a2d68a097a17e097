# SPDX-License-Identifier: Apache-2.0
"""What some dataclasses of tcproctor.messages have beside their fields; the generator makes them bases."""
from __future__ import annotations

from typing import TYPE_CHECKING

from tcproctor._message import Message
from tcproctor.flags import Flags

if TYPE_CHECKING:
    from tcproctor import messages as m


class Segment(Message):
    tcp: m.TcpHeader | None
    payload: bytes | None

    def header(self) -> m.TcpHeader:
        """The TCP header. ValueError: it is no TCP segment."""
        if self.tcp is None:
            raise ValueError(f"no TCP segment: {self!r}")
        return self.tcp

    @property
    def flags(self) -> Flags:
        return Flags(self.header().flags or 0)

    @property
    def seq(self) -> int:
        return self.header().sequence_number or 0

    @property
    def ack(self) -> int:
        return self.header().acknowledgment_number or 0

    @property
    def length(self) -> int:
        """SEG.LEN of RFC 9293: octets of data, and one each for SYN and FIN."""
        flags = self.flags
        return len(self.payload or b"") + bool(flags & Flags.SYN) + bool(flags & Flags.FIN)

    def __str__(self) -> str:
        """<SEQ=1><ACK=2><CTL=ACK>, as the RFC writes it."""
        if self.tcp is None:
            return "<no TCP>"
        text = f"<SEQ={self.seq}>"
        if self.flags & Flags.ACK:
            text += f"<ACK={self.ack}>"
        if self.payload:
            text += f"<LEN={len(self.payload)}>"
        return text + f"<CTL={self.flags.names()}>"


class LogEntry(Message):
    number: int
    segment: m.Segment | None

    @property
    def flags(self) -> Flags:
        return self._segment().flags

    @property
    def seq(self) -> int:
        return self._segment().seq

    @property
    def ack(self) -> int:
        return self._segment().ack

    @property
    def payload(self) -> bytes:
        return self._segment().payload or b""

    def _segment(self) -> m.Segment:
        if self.segment is None:
            raise ValueError(f"entry {self.number} could not be decoded")
        return self.segment


class ExpectResponse(Message):
    result: m.ExpectResponseResult
    entry: m.LogEntry | None
    differences: list[str]

    def __repr__(self) -> str:
        """In an order that survives pytest's abbreviations."""
        shown = [self.result.name, *self.differences]
        if self.entry:
            shown.append(f"segment {self.entry.number}: {self.entry.segment}")
        return f"ExpectResponse({'; '.join(shown)})"

    @property
    def matched(self) -> bool:
        """The segment matched; of silence: it was silent."""
        return self.result == 1

    def __bool__(self) -> bool:
        return self.matched
