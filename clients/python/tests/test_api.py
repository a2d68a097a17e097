# SPDX-License-Identifier: Apache-2.0
"""The blocking and the asyncio API against a real daemon."""
import asyncio
import pathlib
import subprocess
import sys
import tempfile
import time

import pytest

import tcproctor
import tcproctor.aio
from tcproctor import Outcome, TcpState, errors, methods, messages, tcp
from tcproctor.daemon import PrivateDaemon


def test_sessions_end_with_their_block(daemon):
    with daemon.session(a="stack", b="scripted", label="mine") as session:
        assert [item.label for item in daemon.list_sessions() if item.id == session.id] == ["mine"]
        assert session.a.kind == "stack" and session.b.kind == "scripted"
        assert session.a.address == "192.0.2.1"
        assert session.a.can("open.passive") and not session.b.can("open.passive")
    assert session.id not in [item.id for item in daemon.list_sessions()]
    session.close()
    assert session not in daemon.sessions


def test_a_virtual_session_ends_too(daemon):
    with daemon.session(a="stack", b="stack", virtual_clock=True) as session:
        pass
    assert session.id not in [item.id for item in daemon.list_sessions()]


def test_the_lease_is_renewed(daemon):
    with daemon.session(lease=1.0) as session:
        time.sleep(2.5)
        assert session.id in [item.id for item in daemon.list_sessions()]


def dies(private):
    private._process.kill()
    private._process.wait()


@pytest.mark.parametrize("virtual_clock", [False, True])
def test_when_the_daemon_dies_the_error_of_the_block_is_seen(virtual_clock):
    with PrivateDaemon() as private:
        with pytest.raises(ZeroDivisionError) as caught:
            with tcproctor.connect(private.address) as client:
                others = [client.session() for _ in range(2)]  # which end with the client
                with client.session(virtual_clock=virtual_clock):
                    dies(private)
                    1 / 0
    assert ["UNAVAILABLE" in note for note in caught.value.__notes__] == [True, True]
    assert not any(session.open for session in others)


def test_when_the_daemon_dies_asyncio_shows_the_error_of_the_block_too():
    async def examine(private):
        async with await tcproctor.aio.connect(private.address) as client:
            await client.session()
            async with await client.session():
                dies(private)
                raise asyncio.CancelledError

    with PrivateDaemon() as private, pytest.raises(asyncio.CancelledError):
        asyncio.run(examine(private))


def test_without_an_error_of_the_block_that_of_the_deletion_is_raised():
    with PrivateDaemon() as private, pytest.raises(errors.Unavailable):
        with tcproctor.connect(private.address) as client:
            with client.session():
                dies(private)
    with PrivateDaemon() as private, pytest.raises(errors.Unavailable):
        with tcproctor.connect(private.address) as client:
            client.session()
            dies(private)


def test_misuse_is_a_typed_error(daemon):
    with daemon.session(a="stack", b="scripted") as session:
        with pytest.raises(errors.NotFound):
            session.connection(4711).status()
        with pytest.raises(errors.FailedPrecondition):
            session.b.listen(80)
        with pytest.raises(errors.InvalidArgument, match="flags"):
            session.wire.inject("B", tcp(0x1000))
        with pytest.raises(ValueError, match="want one of A, B"):
            session.wire.inject("C", tcp("S"))
    with pytest.raises(errors.NotFound):
        session.wire.log()
    with pytest.raises(ValueError, match="'windows': want one of STACK, KERNEL"):
        daemon.session(a="windows")
    with pytest.raises(errors.InvalidArgument, match="lease"):
        daemon.session(lease=1e9)


def test_misuse_on_a_virtual_clock_is_the_same(daemon):
    with daemon.session(a="stack", b="scripted", virtual_clock=True) as session:
        with pytest.raises(errors.NotFound):
            session.connection(4711).status()
        with pytest.raises(errors.FailedPrecondition):
            session.b.listen(80)
        assert session.a.listen(80).outcome is Outcome.OK


def test_nobody_answers():
    with pytest.raises(errors.Unavailable):
        tcproctor.connect("unix:/nonexistent/socket", timeout=5)


def test_outcomes_are_data(endpoint, session):
    """Nobody listens, nobody answers, nothing comes."""
    refused = endpoint.connect(81, timeout=0.2)
    assert refused.outcome is Outcome.WOULD_BLOCK
    listener = endpoint.listen(80)
    none = listener.accept(timeout=0)
    assert none.outcome is Outcome.WOULD_BLOCK
    with pytest.raises(errors.NoConnection, match="WOULD_BLOCK"):
        none.send(b"x")


def test_stream_of_data(session, endpoint, peer):
    listener = endpoint.listen(80)
    client = peer(80)
    client.handshake()
    server = listener.accept()
    client.send("P.", b"hello")
    assert client.expect(".", ack=client.seq)
    assert server.receive(min_bytes=5).data == b"hello"
    assert server.send(b"world").accepted == 5
    assert client.expect("P.", payload=b"world")
    client.send("F.")
    assert server.wait_state("CLOSE-WAIT") is TcpState.CLOSE_WAIT
    assert server.receive().outcome is Outcome.END_OF_STREAM
    assert server.close() is Outcome.OK
    assert client.expect("F.", skip=True)
    client.send(".")
    assert server.wait_state("CLOSED") is TcpState.CLOSED


def test_passive_peer(endpoint, peer):
    connection = endpoint.connect(7, wait=False)
    server = peer(0, own_port=7)
    server.answer_handshake()
    assert connection.wait_state("ESTABLISHED") is TcpState.ESTABLISHED
    assert connection.set_options(no_delay=True).no_delay is True
    assert connection.options().no_delay is True


@pytest.mark.tcproctor(peer="stack")
def test_large_send_and_services(endpoint):
    data = bytes(range(256)) * 10240  # 2.5 MiB: three calls of SEND
    sink = endpoint.listen(9)
    sink.serve("sink")
    client = endpoint.peer.connect(9)
    assert client.send(data).accepted == len(data)
    client.close()
    [flow] = sink.traffic(wait=True)
    assert (flow.received, flow.ended) == (len(data), True)


@pytest.mark.tcproctor(peer="stack")
def test_impair_hold_and_log(endpoint, wire, session):
    listener = endpoint.listen(80)
    wire.hold("A", tcp("S"))
    client = endpoint.peer.connect(80, wait=False)
    held = wire.expect("A", tcp("S"))
    assert held and held.entry.fate is messages.Fate.HELD
    assert wire.silence("B", 0.1)
    wire.end_hold("A")
    assert held.entry.number in wire.release()
    assert listener.accept().outcome is Outcome.OK
    wire.impair("A", loss=1.0)
    client.send(b"lost")
    lost = wire.expect("A", tcp(payload=b"lost"), skip=True)
    assert lost.entry.fate is messages.Fate.DROPPED
    wire.impair("A")
    assert [entry.number for entry in wire.log(after=1)] == list(range(2, len(wire.log()) + 1))
    assert all(entry.from_ is messages.End.B for entry in wire.log(end="B"))
    assert wire.pcap()[:4] == bytes.fromhex("4d3cb2a1")
    follow = wire.follow()
    assert next(follow).number == 1
    follow.close()


def test_a_difference_is_told(wire, endpoint, peer):
    endpoint.listen(80)
    peer(80).send("S")
    answer = wire.expect("B", tcp("R"))
    assert not answer
    assert answer.result is messages.ExpectResponseResult.MISMATCHED
    assert answer.differences == ["flags: expected R, got S."]
    assert repr(answer).startswith("ExpectResponse(MISMATCHED; flags: expected R, got S.; segment 2: <SEQ=")
    # As the docstring has it: what did not match is still there, and can be passed over.
    assert "is still the next one" in type(wire).expect.__doc__
    assert wire.expect("B", tcp("."), after=answer.cursor, timeout=0).result is messages.ExpectResponseResult.TIMED_OUT
    assert not wire.silence("B", 0.01)
    assert wire.expect("B", tcp("S."), timeout=0)


def test_scapys_fields_are_the_daemons(wire, endpoint):
    """What Scapy dissects is what the daemon decoded, and what was crafted with Scapy is understood."""
    from scapy.layers.inet import TCP

    from tcproctor.scapy_packets import from_scapy, to_scapy

    endpoint.listen(80)
    syn = TCP(sport=4000, dport=80, seq=100, flags="S", options=[
        ("MSS", 1400), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 3)])
    wire.inject("A", from_scapy(syn))
    assert wire.expect("B", from_scapy(TCP(flags="SA", ack=101)))
    for entry in wire.log():
        assert from_scapy(to_scapy(entry)) == entry.segment


def test_half_open_by_pair(session, endpoint, peer, wire):
    endpoint.listen(80)
    client = peer(80)
    client.send("S")
    assert wire.expect("B", tcp("S."))
    status = session.status_of("B", (endpoint.address, 80), (endpoint.peer.address, client.own_port))
    assert status.state is TcpState.SYN_RECEIVED
    assert TcpState.LISTEN in [item.state for item in endpoint.connections()]


@pytest.mark.tcproctor(targets=["stack-virtual"])
def test_two_hours_pass_at_once(session, endpoint, peer, wire):
    began = time.monotonic()
    listener = endpoint.listen(80)
    client = peer(80)
    client.handshake()
    connection = listener.accept()
    connection.set_options(keepalive=True)
    assert wire.silence("B", 7199)
    assert client.expect(".", seq=client.ack - 1, timeout=2)
    assert session.now() == pytest.approx(7200, abs=1)
    session.sleep(60)
    session.run_until(idle=True, duration=3600)
    assert connection.state() is TcpState.CLOSED
    assert time.monotonic() - began < 5


@pytest.mark.tcproctor(targets=["stack-virtual"])
def test_a_wait_for_what_cannot_come_ends(endpoint):
    assert endpoint.listen(80).accept(timeout=None).outcome is Outcome.CANCELLED


def test_run_until_on_a_real_clock(daemon):
    with daemon.session() as session:
        began = session.now()
        assert session.run_until(duration=0.1).now >= began + 0.1
        session.sleep(0.05)


def test_reset(session, endpoint):
    assert endpoint.listen(80).outcome is Outcome.OK
    session.reset()
    assert endpoint.connections() == []
    assert endpoint.listen(80).outcome is Outcome.OK


def test_any_rpc_and_the_suite(daemon):
    assert daemon.call(methods.Sessions.GET_SERVER_INFO, messages.GetServerInfoRequest()).api == "tcproctor.v1"
    assert "S000-2.1" in [case.id for case in daemon.list_cases("S000-2.1")]
    *results, last = daemon.run_cases(filter="S000-2.1", targets=["stack-virtual"])
    assert [item.result.verdict.name for item in results] == ["PASS"]
    assert last.summary.exit_status == 0


def test_asyncio(daemon):
    async def examine(virtual_clock):
        async with await tcproctor.aio.connect(daemon.address) as client:
            async with await client.session(a="stack", b="stack", virtual_clock=virtual_clock, lease=1.0) as session:
                listener = await session.b.listen(80)
                opened, accepted = await asyncio.gather(session.a.connect(80), listener.accept())
                assert opened.outcome is accepted.outcome is Outcome.OK
                await opened.send(b"hello")
                assert (await accepted.receive()).data == b"hello"
                await session.sleep(0.5 if virtual_clock else 1.5)
                with pytest.raises(errors.NotFound):
                    await session.connection(4711).status()
                assert [entry.segment.flags.letters() for entry in await session.wire.log()][:3] == ["S", "S.", "."]
                assert len(await session.wire.pcap()) > 24
                async for entry in session.wire.follow():
                    assert entry.number == 1
                    break
            assert session.id not in [item.id for item in await client.list_sessions()]
            with pytest.raises(errors.NotFound):
                await session.wire.log()

    for virtual_clock in (False, True):
        asyncio.run(examine(virtual_clock))


def test_asyncio_peer(daemon):
    async def examine():
        async with await tcproctor.aio.connect(daemon.address) as client:
            async with await client.session(a="scripted", b="stack") as session:
                await session.b.listen(80)
                peer = tcproctor.aio.Peer(session.a, 80)
                await peer.handshake()

    asyncio.run(examine())


@pytest.fixture
def temporary(monkeypatch):
    """The folder for temporary files, with nothing in it yet."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:  # pytest's own names are too long for a socket
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield pathlib.Path(folder)


def test_private_daemon_leaves_nothing(temporary):
    with PrivateDaemon() as private:
        with tcproctor.connect(private.address) as client:
            assert client.server_info().api == "tcproctor.v1"
        assert list(temporary.iterdir())
        assert "listening on" in private.said()
        process = private._process
    assert process.poll() is not None
    assert not list(temporary.iterdir())
    private.close()


def test_a_killed_daemon_leaves_nothing(temporary):
    with PrivateDaemon() as private:
        dies(private)
        assert list(temporary.iterdir())
    assert not list(temporary.iterdir())


def test_when_killed_nothing_is_left(temporary):
    script = "from tcproctor import PrivateDaemon; daemon = PrivateDaemon(); print(daemon.address, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout.readline().startswith(b"unix:")
        assert list(temporary.iterdir())
        user.kill()
    for _ in range(500):
        if not list(temporary.iterdir()):
            break
        time.sleep(0.01)
    assert not list(temporary.iterdir())


def test_a_daemon_that_cannot_start_says_why(tmp_path):
    with pytest.raises(errors.DaemonError, match="/nonexistent"):
        PrivateDaemon("/nonexistent/tcproctord")
    broken = tmp_path / "tcproctord"
    broken.write_text("#!/bin/sh\necho I am broken\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(errors.DaemonError, match="I am broken"):
        PrivateDaemon(str(broken), timeout=5)
