# SPDX-License-Identifier: Apache-2.0
"""The dataclasses, the segments in few words, and Scapy."""
import dataclasses
import inspect
import typing

import pytest

from tcproctor import (Flags, OptionMatch, Segment, any_of, eol, errors, icmp, in_range, messages, mss, nop, option,
                       pattern, raw, sack, sack_permitted, tcp, timestamps, window_scale)
from tcproctor._message import EnumBase, Message, members
from tcproctor.ladder import ladder
from tcproctor.sync.session import end_spec

CLASSES = [item for _, item in inspect.getmembers(messages, inspect.isclass)
           if issubclass(item, Message) and item is not Message]


def example(descriptor, depth=0):
    """A protobuf message in which every field is set, one of each oneof."""
    message = descriptor._concrete_class()
    for field in descriptor.fields:
        if field.containing_oneof and message.WhichOneof(field.containing_oneof.name):
            continue
        repeated = field.label == field.LABEL_REPEATED
        if field.message_type and field.message_type.GetOptions().map_entry:
            kind = field.message_type.fields_by_name["value"].cpp_type
            getattr(message, field.name)["a"] = "b" if kind == field.CPPTYPE_STRING else 7
        elif field.message_type:
            if depth < 4:
                inner = example(field.message_type, depth + 1)
                target = getattr(message, field.name)
                target.append(inner) if repeated else target.CopyFrom(inner)
        else:
            value = {field.CPPTYPE_STRING: b"x" if field.type == field.TYPE_BYTES else "x",
                     field.CPPTYPE_BOOL: True, field.CPPTYPE_DOUBLE: 0.5}.get(field.cpp_type, 2)
            getattr(message, field.name).append(value) if repeated else setattr(message, field.name, value)
    return message


def test_there_are_classes_for_all_messages():
    assert {"Segment", "ConnectionStatus", "SackBlocksBlock", "Report"} <= {item.__name__ for item in CLASSES}
    assert len(CLASSES) > 80


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_there_and_back(cls):
    proto = example(cls._proto.DESCRIPTOR)
    assert cls.from_proto(proto).to_proto() == proto
    assert cls.from_proto(cls._proto()) == cls()
    assert {item.name.rstrip("_") for item in dataclasses.fields(cls)} == {f.name for f in proto.DESCRIPTOR.fields}


ENUMS = [item for _, item in inspect.getmembers(messages, inspect.isclass)
         if issubclass(item, EnumBase) and item is not EnumBase]


@pytest.mark.parametrize("cls", ENUMS, ids=lambda cls: cls.__name__)
def test_the_names_that_mypy_knows_are_understood(cls):
    itself, names = typing.get_args(getattr(messages, f"Any{cls.__name__}"))
    assert itself is cls
    assert {cls.parse(name) for name in typing.get_args(names)} == {value for value in cls if value}


def test_kinds_of_ends():
    for name, settings in members(messages.EndSpec, "kind").items():
        assert end_spec(name) == end_spec(messages.EndKind.parse(name)) == end_spec(settings())
    assert end_spec(messages.StackEnd(msl=1)) == messages.EndSpec(stack=messages.StackEnd(msl=1))
    for wrong in (messages.EndKind.UNSPECIFIED, messages.WireSpec()):
        with pytest.raises(ValueError, match="an end is stack, kernel"):
            end_spec(wrong)


def test_absent_is_absent():
    header = tcp().to_proto().tcp
    assert not header.ListFields()
    assert tcp(seq=0).to_proto().tcp.HasField("sequence_number")


def test_zero_seconds_are_not_absent():
    request = messages.AcceptRequest(timeout=0).to_proto()
    assert request.HasField("timeout")
    assert messages.AcceptRequest.from_proto(request).timeout == 0


@pytest.mark.parametrize("seconds", [0.000000001, 1.5, 1e6 + 0.25, -1.5])
def test_seconds(seconds):
    assert messages.AcceptRequest.from_proto(messages.AcceptRequest(timeout=seconds).to_proto()).timeout == seconds


def test_two_of_a_oneof_are_refused():
    segment = Segment(tcp=messages.TcpHeader(), icmp=messages.IcmpMessage())
    with pytest.raises(ValueError, match="Segment.icmp: excludes tcp"):
        segment.to_proto()


def test_what_does_not_fit_names_the_field():
    with pytest.raises(ValueError, match="TcpHeader.window"):
        tcp(window=-1).to_proto()


def test_unknown_enum_values_are_kept():
    assert messages.TcpState(99) == 99
    assert messages.TcpState(99).name == "UNKNOWN_99"
    assert messages.TcpState.parse("time-wait") is messages.TcpState.TIME_WAIT
    with pytest.raises(ValueError, match="want one of CLOSED, LISTEN"):
        messages.TcpState.parse("OPEN")
    assert issubclass(messages.TcpState, EnumBase)


@pytest.mark.parametrize("text, flags", [
    ("S", 0x02), ("S.", 0x12), ("SYN,ACK", 0x12), ("SYN", 0x02), ("-", 0), ("", 0), ("FPU", 0x29), ("AE", 0x100),
    ("EW", 0xc0), ("fin,psh", 0x09), (0x1ff, 0x1ff)])
def test_flags(text, flags):
    assert Flags.parse(text) == flags
    assert Flags.parse(Flags(flags).letters()) == flags


def test_unknown_flag():
    with pytest.raises(ValueError, match="no flag 'X'"):
        Flags.parse("SX")


def test_segment_in_few_words():
    segment = tcp("S.", seq=-1, ack=2**32 + 5, sport=1, dport=2, options=[mss(1460), nop(), timestamps(7)],
                  payload=b"abc", urgent_pointer=9)
    assert segment.tcp.sequence_number == 2**32 - 1
    assert segment.ack == 5
    assert segment.length == 4
    assert segment.tcp.urgent_pointer == 9
    assert segment.tcp.options[2].timestamps.echo_reply is None
    assert str(segment) == "<SEQ=4294967295><ACK=5><LEN=3><CTL=SYN,ACK>"
    with pytest.raises(TypeError, match="given twice"):
        tcp(seq=1, sequence_number=2)
    with pytest.raises(TypeError):
        tcp(no_such_field=1)


def test_patterns():
    made = pattern(tcp("S."), option_match=OptionMatch.CONTAINS, ranges=[in_range("window", 1, 10)])
    assert made.fields == tcp("S.")
    assert made.ranges[0].field is messages.SegmentField.WINDOW
    assert pattern(made) is made
    either = any_of(tcp("R"), made)
    assert [item.fields for item in either.any_of] == [tcp("R"), tcp("S.")]


def test_repr_shows_what_is_there():
    assert repr(tcp("R", seq=5)) == "Segment(tcp=TcpHeader(sequence_number=5, flags=4))"


def test_errors_have_their_code():
    for number, code in ((3, "INVALID_ARGUMENT"), (5, "NOT_FOUND"), (12, "UNIMPLEMENTED"), (99, "UNKNOWN")):
        error = errors.from_number(number, "why")
        assert (error.code.name, error.message, str(error)) == (code, "why", f"{code}: why")
    assert isinstance(errors.from_number(12, ""), errors.Unimplemented)


def entry(number, from_, segment, **more):
    return messages.LogEntry(number=number, from_=from_, segment=segment, origin=messages.Origin.END, time=0.5,
                             fate=messages.Fate.DELIVERED, ip_checksum_valid=True, transport_checksum_valid=True, **more)


def test_ladder():
    a, b, state = messages.End.A, messages.End.B, messages.TcpState
    lost = entry(3, a, tcp(".", seq=2, ack=8))
    lost.fate = messages.Fate.DROPPED
    attack = entry(4, b, tcp("R", seq=8))
    attack.origin = messages.Origin.INJECTED
    text = ladder([entry(1, a, tcp("S", seq=1), state_a=state.SYN_SENT, state_b=state.LISTEN),
                   entry(2, b, tcp("S.", seq=7, ack=2), state_b=state.SYN_RECEIVED), lost, attack], "stack", "kernel")
    lines = text.splitlines()
    assert lines[0].split() == "TCP A (stack) TCP B (kernel)".split()
    assert lines[1].split() == "1. 0.500000 SYN-SENT --> <SEQ=1><CTL=SYN> --> LISTEN".split()
    assert lines[2].split() == "2. 0.500000 <-- <SEQ=7><ACK=2><CTL=SYN,ACK> <-- SYN-RECEIVED".split()
    assert lines[3].split() == "3. 0.500000 --> <SEQ=2><ACK=8><CTL=ACK> --x".split()
    assert lines[4].split() == "4. 0.500000 <-- <SEQ=8><CTL=RST> ... injected".split()


def test_ladder_has_the_states_at_the_end():
    def connection(state, end=messages.End.B, error=messages.Outcome.OK):
        pair = messages.FourTuple(local=messages.SocketAddress(address="192.0.2.2", port=80),
                                  remote=messages.SocketAddress(address="2001:db8::1", port=9))
        return messages.ConnectionStatus(end=end, state=state, pair=pair, last_error=error)

    state = messages.TcpState
    rst = entry(1, messages.End.A, tcp("R", seq=1), state_b=state.ESTABLISHED)
    lines = ladder([rst], connections=[
        connection(state.LISTEN), connection(state.CLOSED, error=messages.Outcome.CONNECTION_RESET),
        *[connection(state.TIME_WAIT, messages.End.A)] * 20]).splitlines()
    assert lines[1].split()[-1] == "ESTABLISHED"
    assert lines[2].split() == "at the end 192.0.2.2:80 to [2001:db8::1]:9: CONNECTION_RESET CLOSED".split()
    assert lines[2].index("CLOSED") == lines[1].index("ESTABLISHED")
    assert lines[3].split()[3] == "TIME-WAIT"
    assert lines[12].split() == "at the end and 11 connections more".split() and len(lines) == 13


def test_icmp_and_raw():
    assert icmp(3, 1, quoted_number=4).to_proto().icmp.quoted_number == 4
    assert raw(b"\x45").to_proto().raw == b"\x45"
    assert sack((1, 2)).sack.blocks[0].right == 2
    assert option(254, b"x", 9).other.length == 9


def test_scapy_says_what_a_segment_says():
    from scapy.layers.inet import IP, TCP

    from tcproctor.scapy_packets import from_scapy, to_scapy

    bare = to_scapy(tcp("S", seq=1, options=[mss(1460)]))
    assert (type(bare), bare.fields) == (TCP, {"seq": 1, "flags": "S", "options": [("MSS", 1460)]})
    whole = to_scapy(tcp(
        "P.U", seq=7, ack=9, sport=1, dport=80, window=3, urgent_pointer=5, checksum=6, reserved=1, payload=b"data",
        options=[nop(), window_scale(7), sack((1, 2), (3, 4)), timestamps(8, 9), option(254, b"xyz"), eol()],
        ip=messages.Ipv4Header(source="192.0.2.1", destination="192.0.2.2", dscp=10, ecn=2, ttl=3, dont_fragment=True)))
    assert isinstance(whole, IP)
    assert (whole.src, whole.dst, whole.tos, whole.ttl, str(whole.flags)) == ("192.0.2.1", "192.0.2.2", 0x2a, 3, "DF")
    assert "id" not in whole.fields and "chksum" not in whole.fields
    assert whole["TCP"].fields == {
        "seq": 7, "ack": 9, "sport": 1, "dport": 80, "window": 3, "urgptr": 5, "chksum": 6, "reserved": 1,
        "flags": "PAU", "options": [("NOP", None), ("WScale", 7), ("SAck", (1, 2, 3, 4)), ("Timestamp", (8, 9)),
                                    (254, b"xyz"), ("EOL", None)]}
    assert bytes(whole["TCP"].payload) == b"data"
    assert from_scapy(whole) == tcp(
        "P.U", seq=7, ack=9, sport=1, dport=80, window=3, urgent_pointer=5, checksum=6, reserved=1, payload=b"data",
        options=[nop(), window_scale(7), sack((1, 2), (3, 4)), timestamps(8, 9), option(254, b"xyz"), eol()],
        ip=messages.Ipv4Header(source="192.0.2.1", destination="192.0.2.2", dscp=10, ecn=2, ttl=3, dont_fragment=True,
                               more_fragments=False))


@pytest.mark.parametrize("segment", [
    tcp(), tcp("S", options=[mss(0), sack_permitted()]), tcp(0x1ff, seq=0, ack=0, payload=b"x"),
    tcp("S", ip=messages.Ipv4Header()), tcp("S", ip=messages.Ipv4Header(options=b"\x07\x07\x04\0\0\0\0\x01")),
    tcp("S", ip=messages.Ipv6Header(source="2001:db8::1", destination="2001:db8::2", dscp=1, ecn=1, flow_label=5,
                                    hop_limit=7, next_header=6, payload_length=9)),
    tcp(options=[messages.TcpOption(fast_open_cookie=b"12345678"), messages.TcpOption(md5_digest=bytes(16)),
                 messages.TcpOption(user_timeout=messages.UserTimeout(minutes=True, timeout=5)), option(2, b"odd")])])
def test_segments_to_scapy_and_back(segment):
    from tcproctor.scapy_packets import from_scapy, to_scapy

    assert from_scapy(to_scapy(segment)) == segment


def test_a_segment_has_what_was_set_in_scapys_packet():
    from scapy.layers.inet import IP, TCP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether

    from tcproctor.scapy_packets import from_scapy, to_scapy

    packet = IP(src="192.0.2.1", dst="192.0.2.2", tos=0x2a) / TCP(
        sport=1, dport=80, flags="SA", seq=7, options=[("MSS", 1460)], chksum=None) / b"data"
    segment = from_scapy(Ether() / packet)
    assert segment == tcp("S.", sport=1, dport=80, seq=7, options=[mss(1460)], payload=b"data", ip=messages.Ipv4Header(
        source="192.0.2.1", destination="192.0.2.2", dscp=10, ecn=2))
    assert bytes(to_scapy(segment)) == bytes(packet)
    assert from_scapy(IPv6(dst="2001:db8::2", tc=7) / TCP(window=9)) == tcp(
        window=9, ip=messages.Ipv6Header(destination="2001:db8::2", dscp=1, ecn=3))

    dissected = from_scapy(IP(bytes(packet)))  # all is set in it
    assert (dissected.ipv4.total_length, dissected.tcp.data_offset, dissected.tcp.window) == (48, 6, 8192)
    assert bytes(to_scapy(dissected)) == bytes(packet)
    assert to_scapy(messages.LogEntry(raw=bytes(packet)))["TCP"].seq == 7


def test_what_the_one_cannot_say_of_the_other():
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.packet import Padding
    from scapy.volatile import RandInt

    from tcproctor.scapy_packets import from_scapy, to_scapy

    for packet in (IP() / ICMP(), IP(flags="evil") / TCP(), IP() / IP() / TCP(), IP(len=40) / TCP() / Padding(b"x")):
        segment = from_scapy(IP(bytes(packet)))
        assert segment == raw(bytes(packet))
        assert bytes(to_scapy(segment)) == bytes(packet)
    assert len(from_scapy(IP() / TCP(seq=RandInt())).raw) == 40
    with pytest.raises(ValueError, match="no IP packet"):
        from_scapy(UDP())
    for segment, why in ((icmp(3), "no TCP segment"), (tcp(options=[option(3, b"", 0)]), "no way to say"),
                         (tcp(options=[messages.TcpOption(any_fast_open_cookie=True)]), "no way to say"),
                         (raw(b""), "empty")):
        with pytest.raises(ValueError, match=why):
            to_scapy(segment)
