# SPDX-License-Identifier: Apache-2.0
"""A wire's log as a ladder, the way the RFC draws it, with the states as they were observed."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from tcproctor import messages as m

_STATE = 14
_MIDDLE = 56
#: As many are shown at the end: a flood leaves thousands.
_CONNECTIONS = 10
_LOST = {m.Fate.DROPPED: "--x", m.Fate.HELD: "...", m.Fate.DELAYED: "..."}


def _state(state: m.TcpState) -> str:
    return "" if state is m.TcpState.UNSPECIFIED else state.name.replace("_", "-")


def _arrow(entry: m.LogEntry) -> str:
    """An injected segment starts on the wire, not at an end."""
    text = str(entry.segment) if entry.segment else f"<{entry.malformed}>"
    if entry.segment and entry.segment.icmp:
        text = f"<ICMP {entry.segment.icmp.type}/{entry.segment.icmp.code}>"
    rightwards = entry.from_ is m.End.A
    start = "..." if entry.origin is not m.Origin.END else "-->" if rightwards else "<--"
    lost = _LOST.get(entry.fate)
    arrives = (lost or "-->") if rightwards else (lost or "<--").replace("--x", "x--")
    left, right = (start, arrives) if rightwards else (arrives, start)
    return f"{left} {text:<{_MIDDLE - 8}} {right}"


def _remarks(entry: m.LogEntry) -> str:
    words = []
    if entry.origin is m.Origin.INJECTED:
        words.append("injected")
    if entry.origin is m.Origin.DUPLICATE:
        words.append("duplicate")
    if entry.malformed:
        words.append(f"malformed: {entry.malformed}")
    elif not (entry.ip_checksum_valid and entry.transport_checksum_valid):
        words.append("wrong checksum")
    return "  ".join(words)


def _socket(address: m.SocketAddress | None) -> str:
    if address is None:
        return "?"
    return f"[{address.address}]:{address.port}" if ":" in address.address else f"{address.address}:{address.port}"


def _at_the_end(connection: m.ConnectionStatus) -> str:
    pair = connection.pair or m.FourTuple()
    text = f"{_socket(pair.local)} to {_socket(pair.remote)}"
    if connection.last_error not in (m.Outcome.OK, m.Outcome.UNSPECIFIED):
        text += f": {connection.last_error.name}"
    at_a, at_b = (_state(connection.state) if connection.end is end else "" for end in (m.End.A, m.End.B))
    return f"{'at the end':>18} {at_a:<{_STATE}} {text:<{_MIDDLE}} {at_b}"


def ladder(entries: Iterable[m.LogEntry], a: str = "A", b: str = "B",
           connections: Sequence[m.ConnectionStatus] = ()) -> str:
    """One line a segment: its number, the time, A's state, the segment, B's state. Sequence numbers are absolute.

    The states are those when the segment reached the wire: the receiver has not taken it yet. What became of it shows
    in the next line, or, with what Session.connections() tells, in one at the end for each connection.
    """
    lines = [f"{'':19}{f'TCP A ({a})':<{_STATE}} {'':<{_MIDDLE}} TCP B ({b})"]
    for entry in entries:
        line = (f"{entry.number:>5}. {entry.time or 0.0:>11.6f} {_state(entry.state_a):<{_STATE}} "
                f"{_arrow(entry):<{_MIDDLE}} {_state(entry.state_b):<{_STATE}} {_remarks(entry)}")
        lines.append(line.rstrip())
    ends = [_at_the_end(item) for item in connections if item.state is not m.TcpState.LISTEN]
    lines += ends[:_CONNECTIONS]
    if len(ends) > _CONNECTIONS:
        lines.append(f"{'at the end':>18} and {len(ends) - _CONNECTIONS} connections more")
    return "\n".join(lines) + "\n"
