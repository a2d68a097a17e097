# SPDX-License-Identifier: Apache-2.0
"""Segments in few words. The same object is crafted (an absent field: the default) and matched (absent: any)."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tcproctor import messages as m
from tcproctor.flags import Flags


def tcp(flags: str | int | None = None, *, seq: int | None = None, ack: int | None = None,
        sport: int | None = None, dport: int | None = None, window: int | None = None,
        options: Sequence[m.TcpOption] = (), payload: bytes | None = None,
        ip: m.Ipv4Header | m.Ipv6Header | None = None, **header: Any) -> m.Segment:
    """A TCP segment: `tcp("S", seq=100, options=[mss(1460)])`. Further fields are those of TcpHeader.

    Sequence numbers are taken modulo 2^32.
    """
    fields: dict[str, Any] = {"source_port": sport, "destination_port": dport, "window": window,
              "sequence_number": _modulo(seq), "acknowledgment_number": _modulo(ack),
              "flags": None if flags is None else int(Flags.parse(flags)), "options": list(options)}
    twice = [name for name in header if fields.get(name) is not None and name in fields]
    if twice:
        raise TypeError(f"{twice[0]} is given twice")
    segment = m.Segment(tcp=m.TcpHeader(**{**fields, **header}), payload=payload)
    return _over(segment, ip)


def icmp(type: int | None = None, code: int | None = None, *, ip: m.Ipv4Header | m.Ipv6Header | None = None,
         **message: Any) -> m.Segment:
    """An ICMP (or, over IPv6, ICMPv6) message. Further fields are those of IcmpMessage."""
    return _over(m.Segment(icmp=m.IcmpMessage(type=type, code=code, **message)), ip)


def raw(packet: bytes) -> m.Segment:
    """A whole IP packet, sent as it is."""
    return m.Segment(raw=packet)


def _modulo(number: int | None) -> int | None:
    return None if number is None else number % 2**32


def _over(segment: m.Segment, ip: m.Ipv4Header | m.Ipv6Header | None) -> m.Segment:
    if isinstance(ip, m.Ipv6Header):
        segment.ipv6 = ip
    elif ip is not None:
        segment.ipv4 = ip
    return segment


def mss(octets: int | None = None) -> m.TcpOption:
    return m.TcpOption(mss=m.MaximumSegmentSize(octets=octets))


def window_scale(shift: int | None = None) -> m.TcpOption:
    return m.TcpOption(window_scale=m.WindowScale(shift=shift))


def timestamps(value: int | None = None, echo_reply: int | None = None) -> m.TcpOption:
    return m.TcpOption(timestamps=m.Timestamps(value=value, echo_reply=echo_reply))


def sack_permitted() -> m.TcpOption:
    return m.TcpOption(sack_permitted=True)


def sack(*blocks: tuple[int, int]) -> m.TcpOption:
    """Blocks of (first sequence number, the one after its last)."""
    return m.TcpOption(sack=m.SackBlocks(
        blocks=[m.SackBlocksBlock(left=left, right=right) for left, right in blocks]))


def nop() -> m.TcpOption:
    return m.TcpOption(no_operation=True)


def eol() -> m.TcpOption:
    return m.TcpOption(end_of_options=True)


def option(kind: int, data: bytes = b"", length: int | None = None) -> m.TcpOption:
    """Any option, right or wrong."""
    return m.TcpOption(other=m.RawOption(kind=kind, data=data, length=length))


def in_range(field: m.AnySegmentField, low: int, high: int) -> m.FieldRange:
    """For SegmentPattern.ranges, both ends included: `in_range("window", 1, 1000)`."""
    return m.FieldRange(field=m.SegmentField.parse(field), min=low, max=high)


def pattern(what: m.Segment | m.SegmentPattern, **more: Any) -> m.SegmentPattern:
    """A segment as a pattern, with what a segment cannot say: flags_mask, ranges, option_match, any_of, …"""
    if isinstance(what, m.SegmentPattern):
        if more:
            raise TypeError(f"{', '.join(more)}: set it in the pattern itself")
        return what
    return m.SegmentPattern(fields=what, **more)


def any_of(*alternatives: m.Segment | m.SegmentPattern) -> m.SegmentPattern:
    return m.SegmentPattern(any_of=[pattern(alternative) for alternative in alternatives])
