# SPDX-License-Identifier: Apache-2.0
"""tcproctor: drive a TCP from afar.

    import tcproctor
    from tcproctor import tcp

    with tcproctor.connect() as daemon, daemon.session(a="scripted", b="kernel") as session:
        listener = session.b.listen(80)
        session.wire.inject("A", tcp("S", sport=4000, dport=80, seq=100))
        assert session.wire.expect("B", tcp("S.", ack=101))

Timeouts and durations are seconds of session time. What the protocol does is data (Outcome); misuse raises
tcproctor.errors.RpcError. tcproctor.aio has the same names for asyncio.
"""
from tcproctor import errors, messages, methods
from tcproctor._channel import Tls, default_address
from tcproctor.daemon import PrivateDaemon
from tcproctor.errors import RpcError, TcproctorError
from tcproctor.flags import Flags
from tcproctor.ladder import ladder
from tcproctor.messages import (
    ConnectionOptions, ConnectionStatus, End, EndSpec, Ipv4Header, Ipv6Header, KernelEnd, LogEntry, OptionMatch,
    Outcome, Segment, SegmentPattern, ServiceKind, StackEnd, TcpHeader, TcpOption, TcpState, TimedSegment, WireSpec)
from tcproctor.segments import (
    any_of, eol, icmp, in_range, mss, nop, option, pattern, raw, sack, sack_permitted, tcp, timestamps, window_scale)
from tcproctor.sync.drive import Drive
from tcproctor.sync.peer import Peer
from tcproctor.sync.session import Client, Connection, Endpoint, Session, connect
from tcproctor.sync.wire import Wire

__all__ = [
    "Client", "Connection", "ConnectionOptions", "ConnectionStatus", "Drive", "End", "EndSpec", "Endpoint", "Flags",
    "Ipv4Header", "Ipv6Header", "KernelEnd", "LogEntry", "OptionMatch", "Outcome", "Peer", "PrivateDaemon",
    "RpcError", "Segment", "SegmentPattern", "ServiceKind", "Session", "StackEnd", "TcpHeader", "TcpOption",
    "TcpState", "TcproctorError", "TimedSegment", "Tls", "Wire", "WireSpec", "any_of", "connect", "default_address", "eol",
    "errors", "icmp", "in_range", "ladder", "messages", "methods", "mss", "nop", "option", "pattern", "raw", "sack",
    "sack_permitted", "tcp", "timestamps", "window_scale"]
