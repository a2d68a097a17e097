# SPDX-License-Identifier: Apache-2.0
"""mypy --strict sees a wrong field, its name or its type, and a name that an enum has not."""
import re
import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).parent.parent / "pyproject.toml"
USER = """
import tcproctor
from tcproctor import aio, icmp, in_range, messages, pattern, tcp


def right(daemon: tcproctor.Client, session: tcproctor.Session, peer: tcproctor.Peer) -> None:
    session.wire.inject("A", tcp("S", seq=1, urgent_pointer=3, raw_options=b""), icmp(3, mtu=1280))
    session.wire.flood("A", tcp("S"), count=3, rate=1)
    session.wire.impair("A", loss=0.5, delay=1)
    session.run_until(duration=1)
    session.wire.expect("B", tcp("S."))
    session.wire.silence(session.a.end, 1)
    session.wire.log(end=tcproctor.End.B)
    connection = session.b.connect(80, backlog=3)
    connection.wait_state("TIME-WAIT", "closed", tcproctor.TcpState.FIN_WAIT_1)
    connection.serve("sink")
    in_range("window", 1, 2)
    daemon.session("kernel", b=tcproctor.StackEnd(msl=1))
    daemon.session("remote", messages.EndKind.STACK)
    connection.set_options(no_delay=True, user_timeout=2.5)
    connection.close(linger=0)
    peer.send("P.", b"x", window=3, checksum=7)
    daemon.session(label="x", clock=messages.Clock.VIRTUAL, wire=tcproctor.WireSpec(mtu=1280))
    for told in daemon.run_cases(filter="S0", targets=["stack"]):
        print(told)


def wrong(daemon: tcproctor.Client, session: tcproctor.Session, peer: tcproctor.Peer) -> None:
    tcp("S", windwo=3)  # wrong
    tcp("S", urgent_pointer="3")  # wrong
    icmp(3, mut=3)  # wrong
    pattern(tcp(), payload_lenght=3)  # wrong
    session.wire.flood("A", tcp("S"), segment=tcp())  # wrong
    session.wire.impair("A", lost=0.5)  # wrong
    session.run_until(idle="yes")  # wrong
    session.b.listen(80, backlock=3)  # wrong
    connection = session.b.connect(80, backlog="3")  # wrong
    connection.set_options(nodelay=True)  # wrong
    connection.close(linger=0, connection=None)  # wrong
    peer.send("P.", checksum="x")  # wrong
    peer.expect("P.", windwo=3)  # wrong
    daemon.session(lable="x")  # wrong
    daemon.run_cases(target=["stack"])  # wrong
    session.wire.inject("C", tcp("S"))  # wrong
    session.wire.flood("C", tcp("S"))  # wrong
    session.wire.expect("C", tcp("S."))  # wrong
    session.wire.silence("C", 1)  # wrong
    session.wire.hold("C")  # wrong
    session.wire.end_hold("C")  # wrong
    session.wire.impair("C", loss=1)  # wrong
    session.wire.log(end="C")  # wrong
    session.wire.follow(end="C")  # wrong
    session.end("C")  # wrong
    session.connections("C")  # wrong
    session.status_of("C", ("192.0.2.1", 1), ("192.0.2.2", 2))  # wrong
    session.watch("C")  # wrong
    connection.wait_state("ESTABLISHT")  # wrong
    connection.serve("drain")  # wrong
    in_range("windwo", 1, 2)  # wrong
    daemon.session(a="windows")  # wrong
    daemon.session(b="cernel")  # wrong
    daemon.session(clock="virtual")  # wrong
    tcproctor.WireSpec(link="memory")  # wrong


async def wrong_too(session: aio.Session) -> None:
    await session.b.open(activ=True)  # wrong
    await session.wire.expect("C", tcp("S."))  # wrong
"""


def test_wrong_fields_are_seen(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    mypy = subprocess.run([sys.executable, "-m", "mypy", "--config-file", CONFIG, "--cache-dir", tmp_path / "cache",
                           "--strict", "user.py"], cwd=tmp_path, capture_output=True, text=True)
    seen = {int(line) for line in re.findall(r"^user\.py:(\d+): error", mypy.stdout, re.MULTILINE)}
    assert seen == {number for number, line in enumerate(USER.splitlines(), 1) if "# wrong" in line}, mypy.stdout
