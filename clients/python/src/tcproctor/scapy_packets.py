# SPDX-License-Identifier: Apache-2.0
"""Between segments and Scapy's packets; needs Scapy.

    from scapy.layers.inet import IP, TCP
    session.wire.inject("A", from_scapy(IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=1, dport=80, flags="S")))
    to_scapy(session.wire.log()[-1]).show()
"""
from __future__ import annotations

from typing import Any

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6

from tcproctor import messages as m
from tcproctor.segments import raw

_IPV4_FIELDS = {"src": "source", "dst": "destination", "version": "version", "ihl": "header_length",
                "len": "total_length", "id": "identification", "frag": "fragment_offset", "ttl": "ttl",
                "proto": "protocol", "chksum": "checksum"}
_IPV6_FIELDS = {"src": "source", "dst": "destination", "version": "version", "fl": "flow_label",
                "plen": "payload_length", "nh": "next_header", "hlim": "hop_limit"}
_TCP_FIELDS = {"sport": "source_port", "dport": "destination_port", "seq": "sequence_number",
               "ack": "acknowledgment_number", "dataofs": "data_offset", "window": "window",
               "chksum": "checksum", "urgptr": "urgent_pointer"}


def from_scapy(packet: Any) -> m.Segment:
    """Scapy's packet as it would build it, to be injected: an IP or IPv6 packet, or a frame with one in it."""
    for layer in (IP, IPv6):
        if layer in packet:
            return raw(bytes(packet[layer]))
    raise ValueError(f"no IP packet: {packet!r}")


def pattern_from_scapy(packet: Any) -> m.Segment:
    """The fields that were given to Scapy's packet, as a segment to be matched: all others are anything.

    Fields of IP, IPv6 and TCP, and the payload; options by their octets.
    """
    segment = m.Segment()
    if packet.haslayer("IP"):
        layer = packet["IP"]
        segment.ipv4 = m.Ipv4Header(**_given(layer, _IPV4_FIELDS))
        if "tos" in layer.fields:
            segment.ipv4.dscp, segment.ipv4.ecn = layer.tos >> 2, layer.tos & 3
        if "flags" in layer.fields:
            segment.ipv4.dont_fragment, segment.ipv4.more_fragments = bool(layer.flags.DF), bool(layer.flags.MF)
    if packet.haslayer("IPv6"):
        layer = packet["IPv6"]
        segment.ipv6 = m.Ipv6Header(**_given(layer, _IPV6_FIELDS))
        if "tc" in layer.fields:
            segment.ipv6.dscp, segment.ipv6.ecn = layer.tc >> 2, layer.tc & 3
    if packet.haslayer("TCP"):
        layer = packet["TCP"]
        segment.tcp = m.TcpHeader(**_given(layer, _TCP_FIELDS))
        if "flags" in layer.fields:
            segment.tcp.flags = int(layer.flags)
        if "reserved" in layer.fields:
            segment.tcp.reserved = int(layer.reserved)
        if "options" in layer.fields:
            alone = layer.copy()
            alone.remove_payload()
            segment.tcp.raw_options = bytes(alone)[20:]
        if bytes(layer.payload):
            segment.payload = bytes(layer.payload)
    return segment


def _given(layer: Any, names: dict[str, str]) -> dict[str, Any]:
    return {ours: layer.fields[theirs] for theirs, ours in names.items() if theirs in layer.fields}


def to_scapy(entry: m.LogEntry | bytes) -> Any:
    """A logged packet, or the octets of one, as Scapy's."""
    octets = entry if isinstance(entry, bytes) else entry.raw
    if not octets:
        raise ValueError("an empty packet")
    return IPv6(octets) if octets[0] >> 4 == 6 else IP(octets)
