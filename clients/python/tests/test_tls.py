# SPDX-License-Identifier: Apache-2.0
"""Clients of a daemon on another machine: real handshakes over loopback."""
import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest

import tcproctor
import tcproctor.aio
from tcproctor import Tls, errors, messages, methods
from tcproctor.daemon import find_program

RULES = """
client {
  name: "ci"
  targets: [STACK, SCRIPTED]
  interfaces: "memory"
  prefixes: ["192.0.2.0/24", "2001:db8::/64"]
}
"""
MAKE_CERTIFICATES = Path(__file__).parents[3] / "server/access/make_certificates.sh"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("certificates")
    subprocess.run([MAKE_CERTIFICATES, made, "DNS:localhost,IP:127.0.0.1", "ci", "guest"], check=True)
    (made / "clients.textproto").write_text(RULES)
    return made


@pytest.fixture(scope="module")
def address(folder):
    ready, tell = os.pipe()
    with subprocess.Popen(
            [find_program(), f"--listen=127.0.0.1:0,unix:{folder}/socket", f"--tls_cert={folder}/server.pem",
             f"--tls_key={folder}/server.key", f"--tls_client_ca={folder}/ca.pem",
             f"--client_rules={folder}/clients.textproto", f"--ready_fd={tell}"], pass_fds=[tell]) as daemon:
        os.close(tell)
        with open(ready) as pipe:
            listening = pipe.read()
        yield re.search(r"127.0.0.1:\d+", listening).group()
        daemon.terminate()


def tls(folder, name):
    return Tls(ca=folder / "ca.pem", cert=folder / f"{name}.pem", key=folder / f"{name}.key")


def test_a_session_over_tls(address, folder):
    with tcproctor.connect(address, tls=tls(folder, "ci")) as daemon:
        with daemon.session(a="scripted", b="stack", virtual_clock=True) as session:
            session.b.listen(80)
            session.wire.inject("A", tcproctor.tcp("S", sport=4000, dport=80, seq=100))
            assert session.wire.expect("B", tcproctor.tcp("S.", ack=101), timeout=1)
        with pytest.raises(errors.PermissionDenied, match="targets: KERNEL"):
            daemon.session(a="scripted", b="kernel")


def test_asyncio_over_tls(address, folder):
    async def run():
        async with await tcproctor.aio.connect(address, tls=tls(folder, "ci")) as daemon:
            return await daemon.list_sessions()

    assert asyncio.run(run()) == []


def test_who_has_no_rule_is_refused(address, folder):
    with pytest.raises(errors.PermissionDenied, match="its names are: guest"):
        tcproctor.connect(address, tls=tls(folder, "guest"))


def test_without_certificate_nobody_answers(address):
    with pytest.raises(errors.Unavailable):
        tcproctor.connect(address)


def test_files_that_cannot_be_read_are_named(address, folder):
    with pytest.raises(errors.TlsError, match="cert: .*nowhere.pem: No such file"):
        tcproctor.connect(address, tls=Tls(folder / "ca.pem", folder / "nowhere.pem", folder / "ci.key"))
    with pytest.raises(errors.TlsError, match="Unix socket"):
        tcproctor.connect(f"unix:{folder}/socket", tls=tls(folder, "ci"))


def test_a_request_id_makes_a_call_repeatable(folder, address):
    with tcproctor.connect(f"unix:{folder}/socket") as daemon:
        daemon.require("request_id", "end.stack")
        with pytest.raises(errors.Unimplemented, match="lacks time.travel: it is too old"):
            daemon.require("time.travel")
        wanted = messages.CreateSessionRequest(
            a=messages.EndSpec(scripted=messages.ScriptedEnd()), b=messages.EndSpec(stack=messages.StackEnd()),
            wire=messages.WireSpec(link=messages.LinkKind.MEMORY))
        first = daemon.call(methods.Sessions.CREATE_SESSION, wanted, request_id="1")
        assert daemon.call(methods.Sessions.CREATE_SESSION, wanted, request_id="1").id == first.id
        open_80 = messages.OpenRequest(session=first.id, end=messages.End.B,
                                       local=messages.SocketAddress(port=80))
        opened = daemon.call(methods.Endpoint.OPEN, open_80, request_id="2")
        assert opened == daemon.call(methods.Endpoint.OPEN, open_80, request_id="2")
        assert daemon.call(methods.Endpoint.OPEN, open_80).outcome is not tcproctor.Outcome.OK
        with pytest.raises(errors.InvalidArgument, match="request_id"):
            daemon.call(methods.Endpoint.LIST, messages.ListRequest(session=first.id), request_id="2")
        gone = messages.DeleteSessionRequest(session=first.id)
        daemon.call(methods.Sessions.DELETE_SESSION, gone, request_id="3")
        daemon.call(methods.Sessions.DELETE_SESSION, gone, request_id="3")
        with pytest.raises(errors.NotFound):
            daemon.call(methods.Sessions.DELETE_SESSION, gone)
