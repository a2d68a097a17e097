# SPDX-License-Identifier: Apache-2.0
"""Between segments and Scapy's packets; needs Scapy.

    from scapy.layers.inet import IP, TCP
    session.wire.inject("A", from_scapy(IP() / TCP(sport=1, dport=80, flags="S", options=[("MSS", 1460)])))
    to_scapy(tcp("S", seq=1, options=[mss(1460)])).show()
    to_scapy(session.wire.log()[-1]).show()

Both ways only what was set is set. What is absent is, in a packet, Scapy's default; in a segment that is sent, the
daemon's (they differ: the window, DF, …); in one that is matched, anything.
"""
from __future__ import annotations

import struct
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Padding, Raw

from tcproctor import messages as m
from tcproctor import segments
from tcproctor._message import Message

_IPV4_FIELDS = {"src": "source", "dst": "destination", "version": "version", "ihl": "header_length",
                "len": "total_length", "id": "identification", "frag": "fragment_offset", "ttl": "ttl",
                "proto": "protocol", "chksum": "checksum"}
_IPV6_FIELDS = {"src": "source", "dst": "destination", "version": "version", "fl": "flow_label",
                "plen": "payload_length", "nh": "next_header", "hlim": "hop_limit"}
_TCP_FIELDS = {"sport": "source_port", "dport": "destination_port", "seq": "sequence_number",
               "ack": "acknowledgment_number", "dataofs": "data_offset", "reserved": "reserved", "flags": "flags",
               "window": "window", "chksum": "checksum", "urgptr": "urgent_pointer"}


def from_scapy(packet: Any) -> m.Segment:
    """The fields that were set in Scapy's packet, to be sent or matched; of a dissected packet these are all.

    What a Segment cannot say field by field (not TCP, extension headers, random values, octets behind the end …) is
    its whole packet in `raw`, as Scapy would build it. ValueError: there is neither IP nor TCP in it.
    """
    kinds = [kind for kind in packet.layers() if kind in (IP, IPv6, TCP)]
    if not kinds:
        raise ValueError(f"no IP packet: {packet!r}")
    layer = packet[kinds[0]]
    octets = bytes(layer)
    try:
        segment = _segment(layer)
        if bytes(to_scapy(segment)) == octets:
            return segment
    except (LookupError, TypeError, ValueError, struct.error):
        pass
    if kinds[0] is TCP:
        raise ValueError(f"a segment cannot say it, and there is no IP packet: {packet!r}")
    return segments.raw(octets)


def to_scapy(what: m.Segment | m.LogEntry | bytes) -> Any:
    """A segment's fields that are set (without an IP header: TCP alone); a logged packet, or the octets of one.

    ValueError: Scapy's TCP cannot say it: ICMP, an option of a wrong length, a signature to be computed.
    """
    if isinstance(what, m.Segment) and what.raw is None:
        return _packet(what)
    octets = what if isinstance(what, bytes) else what.raw
    if not octets:
        raise ValueError("an empty packet")
    return IPv6(octets) if octets[0] >> 4 == 6 else IP(octets)


def _packet(segment: m.Segment) -> Any:
    header = segment.header()
    packet = TCP(**_theirs(header, _TCP_FIELDS))
    if header.raw_options is not None:
        packet.options = _option_list(header.raw_options)
    elif header.options:
        packet.options = [pair for item in header.options for pair in _option_list(_option_octets(item))]
    if segment.payload:
        packet /= Raw(segment.payload)
    if segment.ipv4:
        return _ipv4(segment.ipv4) / packet
    if segment.ipv6:
        ip = IPv6(**_theirs(segment.ipv6, _IPV6_FIELDS))
        if _any(segment.ipv6.dscp, segment.ipv6.ecn):
            ip.tc = (segment.ipv6.dscp or 0) << 2 | (segment.ipv6.ecn or 0)
        return ip / packet
    return packet


def _ipv4(header: m.Ipv4Header) -> Any:
    ip = IP(**_theirs(header, _IPV4_FIELDS))
    if _any(header.dscp, header.ecn):
        ip.tos = (header.dscp or 0) << 2 | (header.ecn or 0)
    if _any(header.dont_fragment, header.more_fragments):
        ip.flags = 2 * bool(header.dont_fragment) + bool(header.more_fragments)
    if header.options:
        padded = header.options + bytes(-len(header.options) % 4)
        # Only as a part of a header does Scapy dissect them.
        ip.options = IP(bytes([0x45 + len(padded) // 4]) + bytes(19) + padded).options
    return ip


def _segment(layer: Any) -> m.Segment:
    """The fields that are set; whatever else there is, from_scapy notices."""
    segment = m.Segment()
    if isinstance(layer, IP):
        segment.ipv4 = m.Ipv4Header(**_ours(layer, _IPV4_FIELDS))
        if "tos" in layer.fields:
            segment.ipv4.dscp, segment.ipv4.ecn = divmod(layer.tos, 4)
        if "flags" in layer.fields:
            segment.ipv4.dont_fragment, segment.ipv4.more_fragments = bool(layer.flags.DF), bool(layer.flags.MF)
        if layer.options:
            segment.ipv4.options = b"".join(bytes(item) for item in layer.options)
    elif isinstance(layer, IPv6):
        segment.ipv6 = m.Ipv6Header(**_ours(layer, _IPV6_FIELDS))
        if "tc" in layer.fields:
            segment.ipv6.dscp, segment.ipv6.ecn = divmod(layer.tc, 4)
    tcp = layer if isinstance(layer, TCP) else layer.payload
    if not isinstance(tcp, TCP) or tcp.haslayer(Padding):
        raise ValueError("not TCP alone")
    segment.tcp = m.TcpHeader(**_ours(tcp, _TCP_FIELDS), options=[_option(pair) for pair in tcp.options or ()])
    segment.payload = bytes(tcp.payload) or None
    return segment


def _any(*fields: object) -> bool:
    return any(field is not None for field in fields)


def _theirs(header: Message, names: dict[str, str]) -> dict[str, Any]:
    values = {theirs: getattr(header, ours) for theirs, ours in names.items()}
    return {name: value for name, value in values.items() if value is not None}


def _ours(layer: Any, names: dict[str, str]) -> dict[str, Any]:
    """TypeError: not one value, but a list of them or the name of a host."""
    values = {ours: layer.fields.get(theirs) for theirs, ours in names.items()}
    return {name: value if isinstance(value, str) else int(value) for name, value in values.items()
            if value is not None}


# ---- options, by their octets: Scapy knows how its own are written ------------------------------

_FIELD = TCP().get_field("options")


def _option_list(octets: bytes) -> list[tuple[str | int, Any]]:
    """As Scapy has them."""
    pairs: list[tuple[str | int, Any]] = _FIELD.m2i(None, octets)
    if _FIELD.i2m(None, pairs) != octets + bytes(-len(octets) % 4):
        raise ValueError(f"Scapy has no way to say the options {octets.hex()}")
    return pairs


def _option_octets(option: m.TcpOption) -> bytes:
    if option.end_of_options is not None:
        return b"\x00"
    if option.no_operation is not None:
        return b"\x01"
    other = option.other or _raw_option(option)
    if other.kind in (0, 1):
        return bytes([other.kind])
    length = 2 + len(other.data) if other.length is None else other.length
    return bytes([other.kind, length]) + other.data


def _raw_option(option: m.TcpOption) -> m.RawOption:
    if option.mss:
        return m.RawOption(kind=2, data=struct.pack("!H", option.mss.octets or 0))
    if option.window_scale:
        return m.RawOption(kind=3, data=struct.pack("!B", option.window_scale.shift or 0))
    if option.sack_permitted is not None:
        return m.RawOption(kind=4)
    if option.sack:
        return m.RawOption(kind=5, data=b"".join(
            struct.pack("!II", block.left, block.right) for block in option.sack.blocks))
    if option.timestamps:
        return m.RawOption(kind=8, data=struct.pack(
            "!II", option.timestamps.value or 0, option.timestamps.echo_reply or 0))
    if option.md5_digest is not None:
        return m.RawOption(kind=19, data=option.md5_digest)
    if option.user_timeout:
        return m.RawOption(kind=28, data=struct.pack(
            "!H", option.user_timeout.minutes << 15 | option.user_timeout.timeout))
    if option.fast_open_cookie is not None:
        return m.RawOption(kind=34, data=option.fast_open_cookie)
    raise ValueError(f"Scapy has no way to say {option!r}")


def _option(pair: tuple[str | int, Any]) -> m.TcpOption:
    octets = _FIELD.i2m(None, [pair])
    kind, data = octets[0], octets[2:octets[1]]
    if kind == 0:
        return segments.eol()
    if kind == 1:
        return segments.nop()
    if kind == 2 and len(data) == 2:
        return segments.mss(*struct.unpack("!H", data))
    if kind == 3 and len(data) == 1:
        return segments.window_scale(*data)
    if kind == 4 and not data:
        return segments.sack_permitted()
    if kind == 5 and len(data) % 8 == 0:
        return segments.sack(*((left, right) for left, right in struct.iter_unpack("!II", data)))
    if kind == 8 and len(data) == 8:
        return segments.timestamps(*struct.unpack("!II", data))
    if kind == 19 and len(data) == 16:
        return m.TcpOption(md5_digest=data)
    if kind == 28 and len(data) == 2:
        minutes, timeout = divmod(struct.unpack("!H", data)[0], 1 << 15)
        return m.TcpOption(user_timeout=m.UserTimeout(minutes=bool(minutes), timeout=timeout))
    if kind == 34 and len(data) <= 16:
        return m.TcpOption(fast_open_cookie=data)
    return segments.option(kind, data)
