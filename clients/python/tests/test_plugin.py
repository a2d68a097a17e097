# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin, run in a pytest of its own."""
import pathlib
import re
import xml.etree.ElementTree as ElementTree

import pytest
import scapy.layers.inet  # knows raw IP in captures
from scapy.utils import rdpcap

from tcproctor import PrivateDaemon

pytest_plugins = ["pytester"]

FAILING = """
import pytest
import tcproctor
from tcproctor import tcp

@pytest.fixture(autouse=True)
def note(daemon):
    print("daemon", daemon.address)

def test_passes(endpoint, wire):
    endpoint.listen(80)
    wire.inject("A", tcp("S", sport=1, dport=80))
    assert wire.expect("B", tcp("S."))

def test_fails(endpoint, wire, target):
    endpoint.listen(80)
    wire.inject("A", tcp("S", sport=1, dport=80, seq=100))
    assert wire.expect("B", tcp("R"))

@pytest.mark.tcproctor(targets=["stack", "stack-virtual"])
def test_is_reset(endpoint, peer):
    listener = endpoint.listen(80)
    client = peer(80)
    client.handshake()
    connection = listener.accept()
    client.send("R")
    assert connection.wait_state("CLOSED").name == "ESTABLISHED"

@pytest.fixture
def impossible(wire, peer):
    peer(80, iss=300).handshake()

@pytest.mark.tcproctor(targets=["stack"])
def test_cannot_begin(impossible):
    pass

@pytest.mark.tcproctor(targets=["stack"])
def test_fails_in_a_session_of_its_own(daemon, target):
    with daemon.session(a="scripted", b="stack") as session:
        session.wire.inject("A", tcp("S", sport=1, dport=80, seq=200))
        assert session.wire.expect("B", tcp("S."))
"""


def run(pytester, *arguments):
    return pytester.runpytest_subprocess("-p", "tcproctor.pytest_plugin", *arguments)


def processes_with(text):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_text():
                found.append(path)
        except OSError:
            pass  # it has ended
    return found


def test_a_failure_has_its_evidence(pytester):
    pytester.makepyfile(FAILING)
    result = run(pytester, "--tcproctor-captures=captures", "--junitxml=junit.xml",
                 "--tcproctor-targets=stack,stack-virtual")
    result.assert_outcomes(passed=2, failed=5, errors=1)
    output = result.stdout.str()
    assert output.count("TCP A (scripted)") == 6
    assert len(re.findall(r" at the end .* to 192.0.2.1:40000: CONNECTION_RESET +CLOSED\n", output)) == 2
    assert "<SEQ=100><CTL=SYN>" in output and "<SEQ=200><CTL=SYN>" in output
    assert "MISMATCHED; flags: expected R, got S." in output  # in the assertion
    captures = sorted(path.name for path in (pytester.path / "captures").iterdir())
    assert captures == [
        "test_cannot_begin_stack_.pcap", "test_fails_in_a_session_of_its_own_stack_.pcap",
        "test_fails_stack-virtual_.pcap", "test_fails_stack_.pcap", "test_is_reset_stack-virtual_.pcap",
        "test_is_reset_stack_.pcap"]
    packets = rdpcap(str(pytester.path / "captures/test_fails_stack_.pcap"))
    assert [str(packet["TCP"].flags) for packet in packets][:2] == ["S", "SA"]
    junit = ElementTree.parse(pytester.path / "junit.xml")
    assert [item.get("name") for item in junit.iter("property")] == ["tcproctor_pcap"] * 6
    ladders = [item.text.count("TCP A (scripted)") for kind in ("failure", "error") for item in junit.iter(kind)]
    assert ladders == [1] * 6


def test_nothing_is_left(pytester):
    pytester.makepyfile(FAILING)
    result = run(pytester, "-s", "--tcproctor-targets=stack")
    address = next(line.split()[-1] for line in result.stdout.lines if "daemon unix:" in line)
    assert not processes_with(address)


def test_a_running_daemon_keeps_no_session(pytester, daemon):
    before = {item.id for item in daemon.list_sessions()}
    pytester.makepyfile(FAILING)
    result = run(pytester, f"--tcproctor-address={daemon.address}", "--tcproctor-targets=stack-virtual")
    result.assert_outcomes(passed=1, failed=2)
    assert {item.id for item in daemon.list_sessions()} == before


def test_targets_are_chosen(pytester):
    pytester.makepyfile("""
import pytest

def test_all(target): pass

@pytest.mark.tcproctor(targets=["kernel"])
def test_one(target): pass
""")
    result = run(pytester, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_all?kernel?", "*test_all?stack?", "*test_all?stack-virtual?",
                                 "*test_one?kernel?"])
    assert run(pytester, "--tcproctor-targets=windows").ret == pytest.ExitCode.USAGE_ERROR


def test_the_marker_sets_the_session(pytester):
    pytester.makepyfile("""
import pytest
from tcproctor import KernelEnd, StackEnd, WireSpec

pytestmark = pytest.mark.tcproctor(stack=StackEnd(msl=0.1), wire=WireSpec(mtu=1400))

def test_scripted(session, target):
    assert session.a.kind == "scripted" and session.info.mtu == 1400
    assert session.virtual_clock == (target == "stack-virtual")

@pytest.mark.tcproctor(peer="other", wire=WireSpec(mtu=1300), kernel=KernelEnd(sysctls={"net.ipv4.tcp_sack": "0"}))
def test_two_tcps(session, target):
    kinds = {"kernel": "stack", "stack": "kernel", "stack-virtual": "stack"}
    assert session.a.kind == kinds[target] and session.info.mtu == 1300
""")
    run(pytester).assert_outcomes(passed=6)


DYING = """
import contextlib
import os
import signal
from pathlib import Path

import pytest

@pytest.fixture(scope="module")
def of_the_module(daemon):
    with daemon.session() as session:
        yield session

def die(daemon):
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # others end meanwhile
            if f"--listen={daemon.address}\\0".encode() in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)

def test_before(endpoint, of_the_module):
    pass

def test_dies(daemon, endpoint):
    die(daemon)
    endpoint.listen(80)

def test_after(endpoint):
    assert endpoint.listen(80).id

def test_dies_unseen(daemon):
    die(daemon)

def test_after_that(endpoint):
    assert endpoint.listen(80).id

def test_dies_at_the_end(daemon, endpoint):
    die(daemon)
"""
HAS_SAID = r"--- tcproctor daemon ---+\nexit status -9 \(Killed\); it said:\n(.*\n)*?.*listening on unix:"


def test_a_dead_daemon_is_shown_and_replaced(pytester):
    pytester.makepyfile(DYING)
    result = run(pytester, "--tcproctor-targets=stack", "--junitxml=junit.xml")
    result.assert_outcomes(passed=5, failed=1, errors=1, warnings=1)
    output = result.stdout.str()
    assert len(re.findall(HAS_SAID, output)) == 2
    result.stdout.re_match_lines([".*PytestWarning: tcproctor daemon: exit status -9 .*",
                                  "FAILED .*test_dies.stack.*", "ERROR .*test_dies_at_the_end.stack.*"])
    junit = ElementTree.parse(pytester.path / "junit.xml")
    assert all("listening on unix:" in item.text for kind in ("failure", "error") for item in junit.iter(kind))


def test_a_dead_daemon_of_the_users_is_told_once(pytester):
    pytester.makepyfile(DYING)
    with PrivateDaemon() as named:
        result = run(pytester, "--tcproctor-targets=stack", f"--tcproctor-address={named.address}")
    result.assert_outcomes(passed=1, failed=1, skipped=4)
    assert result.stdout.str().count(f"The daemon at {named.address} does not answer") == 1
