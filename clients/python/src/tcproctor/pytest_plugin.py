# SPDX-License-Identifier: Apache-2.0
"""Fixtures for pytest: a daemon, and for each test a session with the TCP under test.

    def test_it(endpoint, wire): …           # runs for kernel, stack and stack-virtual

`target`    "kernel": the host's TCP in a namespace of its own; "stack": ours with the real clock;
            "stack-virtual": ours on a wire in memory, whose clock moves only while a call waits
`daemon`    a Client of a daemon that runs for the test run, or of the one at --tcproctor-address
`session`   a session: B is the target, A is scripted
`endpoint`  B, the TCP under test
`wire`      its wire
`peer`      a function that makes a crafted peer at A: peer(80, iss=100)

@pytest.mark.tcproctor(targets=["kernel", "stack"], peer="kernel", stack=StackEnd(msl=1), wire=WireSpec(mtu=1280))
says which targets a test wants, what A is ("scripted", "kernel", "stack", or "other": the TCP that B is not), and how ends and wire are set; what
else is given goes to Client.session. When a test fails, its report has a ladder of each of its sessions and names
the pcap file. When the daemon has died, the report of the test that meets this has its exit status and what it said
last, and later tests get a new one; of a daemon at --tcproctor-address they are skipped until it answers again.
Whatever happens, sessions and daemon are gone at the end.
"""
from __future__ import annotations

import re
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tcproctor import methods
from tcproctor._channel import Tls
from tcproctor.daemon import PrivateDaemon
from tcproctor.errors import TcproctorError, Unavailable
from tcproctor.ladder import ladder
from tcproctor.messages import Clock, KernelEnd, ListRequest, StackEnd
from tcproctor.sync.peer import Peer
from tcproctor.sync.session import Client, Endpoint, Session, connect
from tcproctor.sync.transport import Transport
from tcproctor.sync.wire import Wire

TARGETS = ("kernel", "stack", "stack-virtual")
_MARK = ("tcproctor(targets=…, peer=\"scripted\", stack=StackEnd(…), kernel=KernelEnd(…), **session): "
         "which TCPs a test examines, and how its session is made")
#: Linux spaces its answers to invalid segments 500 ms apart, which would hide them.
_KERNEL = {"net.ipv4.tcp_invalid_ratelimit": "0"}
#: So much of what a dead daemon said last is shown; a sanitizer's report fits.
_SAID = 20_000


_TLS = {"ca": "the daemon's CA", "cert": "our certificate", "key": "the key of our certificate"}


def _tls(config: pytest.Config) -> Tls | None:
    given = {name: config.getoption(f"tcproctor_tls_{name}") for name in _TLS}
    if not any(given.values()):
        return None
    if not all(given.values()) or not config.getoption("tcproctor_address"):
        raise pytest.UsageError("--tcproctor-tls-ca, -cert and -key go together, with --tcproctor-address HOST:PORT")
    return Tls(**given)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tcproctor")
    group.addoption("--tcproctor-address", metavar="ADDRESS", help="use the daemon there instead of starting one")
    for name, what in _TLS.items():
        group.addoption(f"--tcproctor-tls-{name}", metavar="FILE", help=f"PEM file with {what}, for a daemon on "
                        "another machine; all three are needed")
    group.addoption("--tcproctor-targets", metavar="NAMES", default=",".join(TARGETS),
                    help="which TCPs to examine, comma separated (default: %(default)s)")
    group.addoption("--tcproctor-captures", metavar="FOLDER",
                    help="where the pcap files of failing tests go (default: pytest's folder for temporary files)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARK)
    unknown = set(_wanted(config)) - set(TARGETS)
    if unknown or not _wanted(config):
        raise pytest.UsageError(f"--tcproctor-targets: {', '.join(sorted(unknown)) or 'none'}: want {', '.join(TARGETS)}")


def _wanted(config: pytest.Config) -> list[str]:
    return [name for name in str(config.getoption("tcproctor_targets")).split(",") if name]


def _settings(node: pytest.Item | Any) -> dict[str, Any]:
    """The markers of a test, the nearest first."""
    merged: dict[str, Any] = {}
    for mark in node.iter_markers("tcproctor"):
        merged = {**mark.kwargs, **merged}
    return merged


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" not in metafunc.fixturenames:
        return
    targets = _settings(metafunc.definition).get("targets", TARGETS)
    unknown = set(targets) - set(TARGETS)
    if unknown:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: targets {', '.join(sorted(unknown))}: "
                                f"want {', '.join(TARGETS)}")
    metafunc.parametrize("target", list(targets), scope="function")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the targets that --tcproctor-targets does not name."""

    def is_wanted(item: pytest.Item) -> bool:
        callspec = getattr(item, "callspec", None)
        return callspec is None or callspec.params.get("target", wanted[0]) in wanted

    wanted = _wanted(config)
    left_out = [item for item in items if not is_wanted(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if is_wanted(item)]


class Evidence:
    """What the sessions of the running test have to show, kept until it is known how the test went."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._kept: list[tuple[str, str, bytes]] = []

    def clear(self) -> None:
        self._kept.clear()

    def keep(self, session: Session) -> None:
        try:
            connections = session.client.call(methods.Endpoint.LIST, ListRequest(session=session.id)).connections
            text = ladder(session.wire.log(), session.a.kind, session.b.kind, connections)
            self._kept.append((session.id, text, session.wire.pcap()))
        except TcproctorError as error:
            self._kept.append((session.id, f"no evidence: {error}\n", b""))

    def attach(self, report: pytest.TestReport, item: pytest.Item, open_sessions: list[Session]) -> None:
        for session in open_sessions:
            self.keep(session)
        for number, (name, text, pcap) in enumerate(self._kept):
            if pcap:
                stem = re.sub(r"[^\w.=-]+", "_", report.nodeid.partition("::")[2] or report.nodeid)
                path = self._folder() / f"{stem}{f'-{number}' if number else ''}.pcap"
                path.write_bytes(pcap)
                text += f"capture: {path}\n"
                item.user_properties.append(("tcproctor_pcap", str(path)))
            _add_section(report, f"tcproctor session {name}", text)


def _add_section(report: pytest.TestReport, title: str, text: str) -> None:
    # With the traceback, which JUnit's XML has as the failure's text: of sections it has none by default.
    add = getattr(report.longrepr, "addsection", lambda *section: report.sections.append(section))
    add(title, text)


class Run:
    """The daemon of this test run: the one that the user named, or our own."""

    def __init__(self, address: str | None, tls: Tls | None, evidence: Evidence) -> None:
        self.evidence = evidence
        #: That the daemon is dead has been reported.
        self.told = False
        self._death_at_the_end: str | None = None
        self._private = None if address else PrivateDaemon()
        try:
            self.client = connect(address or (self._private.address if self._private else None), tls=tls)
        except BaseException:
            if self._private:
                self._private.close()
            raise
        self.client.before_delete.append(evidence.keep)

    def death(self) -> str:
        """That the daemon does not answer, and why; empty while it does."""
        if self._death_at_the_end is not None:
            return self._death_at_the_end
        try:
            self.client.server_info(timeout=2)
        except Unavailable as error:
            if self._private is None:
                return (f"The daemon at {self.client.address} does not answer: {error.message}\n"
                        "Tests that need it are skipped until it does.\n")
            # Its socket closes a moment before it has ended.
            status = self._private.exit_status(timeout=5)
            name = f" ({signal.strsignal(-status)})" if status and status < 0 else ""
            said = self._private.said()
            return f"exit status {status}{name}; it said:\n{'…' if len(said) > _SAID else ''}{said[-_SAID:]}"
        except Exception:
            pass  # slow perhaps, or a test has closed the client: that says nothing of the daemon
        return ""

    def prepare(self) -> None:
        """Before a test that needs it: a new daemon in the place of our own dead one."""
        if self._private is None:
            if self.told and (death := self.death()):
                pytest.skip(death)
        elif self.told or not self._private.running:
            new = PrivateDaemon()
            self.forget_sessions()
            self._leave()
            self._private = new
            # In the same client: fixtures of all scopes have it.
            self.client.address = new.address
            self.client.transport = Transport(new.address)
        self.told = False

    def close(self) -> None:
        """What is there to be told is kept: the last report is made later."""
        self._death_at_the_end = self.death()
        if self._death_at_the_end:
            self.forget_sessions()
        self._leave()

    def forget_sessions(self) -> None:
        """They have died with the daemon: the fixtures that have them are not to fail for it as well."""
        for session in list(self.client.sessions):
            try:
                session.close()
            except TcproctorError:
                pass

    def _leave(self) -> None:
        try:
            self.client.close()
        finally:
            if self._private:
                self._private.close()
            self.evidence.clear()


_run = pytest.StashKey[Run]()


@pytest.hookimpl(tryfirst=True)  # type: ignore[misc]
def pytest_runtest_setup(item: pytest.Item) -> None:
    run = item.config.stash.get(_run, None)
    if run and "daemon" in getattr(item, "fixturenames", ()):
        run.prepare()


@pytest.hookimpl(hookwrapper=True)  # type: ignore[misc]
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    run = item.config.stash.get(_run, None)
    if run is None:
        return
    if report.when != "teardown" and report.failed:
        run.evidence.attach(report, item, run.client.sessions)
    if not run.told and (report.when == "teardown" or report.failed) and (death := run.death()):
        run.told = True
        run.forget_sessions()
        if report.failed:
            _add_section(report, "tcproctor daemon", death)
        else:  # no test fails for it, but it must be known
            item.warn(pytest.PytestWarning(f"tcproctor daemon: {death}"))
    if report.when == "teardown":
        run.evidence.clear()


@pytest.fixture(scope="session")
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A Client of the daemon of this test run."""
    config = request.config

    def folder() -> Path:
        named = config.getoption("tcproctor_captures")
        made = Path(named) if named else tmp_path_factory.getbasetemp() / "tcproctor"
        made.mkdir(parents=True, exist_ok=True)
        return made.resolve()

    run = Run(config.getoption("tcproctor_address"), _tls(config), Evidence(folder))
    config.stash[_run] = run
    yield run.client
    run.close()


@pytest.fixture
def session(request: pytest.FixtureRequest, daemon: Client, target: str) -> Iterator[Session]:
    """A session whose end B is the TCP under test."""
    settings = _settings(request.node)
    settings.pop("targets", None)
    kernel = settings.pop("kernel", KernelEnd())
    ends = {"stack": settings.pop("stack", StackEnd()), "scripted": "scripted",
            "kernel": KernelEnd(sysctls={**_KERNEL, **kernel.sysctls})}
    peer = settings.pop("peer", "scripted")
    if peer == "other":
        peer = "stack" if target == "kernel" else "kernel"
    if target == "stack-virtual":
        settings["clock"] = Clock.VIRTUAL
        # The host's kernel cannot be on a wire in memory.
        peer = "stack" if peer == "kernel" else peer
    settings.setdefault("label", request.node.name[:200])
    with daemon.session(ends[peer], ends[target.partition("-")[0]], **settings) as made:
        yield made


@pytest.fixture
def endpoint(session: Session) -> Endpoint:
    """The TCP under test."""
    return session.b


@pytest.fixture
def wire(session: Session) -> Wire:
    """The wire of the session."""
    return session.wire


@pytest.fixture
def peer(session: Session) -> Callable[..., Peer]:
    """Makes a crafted peer at the scripted end: `peer(port, own_port=40000, iss=1000)`."""

    def make(port: int, **settings: Any) -> Peer:
        return Peer(session.a, port, **settings)

    return make
