# SPDX-License-Identifier: Apache-2.0
"""Clients, sessions, endpoints and connections."""
from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

from tcproctor import _channel, errors, methods
from tcproctor import messages as m
from tcproctor._message import Message, Method, Request, Response, members
from tcproctor.aio import transport
from tcproctor.aio.drive import Drive
from tcproctor.aio.wire import Wire

#: What an end is: "stack" (ours), "kernel", "scripted" (nothing but crafted segments), "remote" (on another machine), or
#: one of these with settings.
EndKind = m.AnyEndKind | m.EndSpec | m.StackEnd | m.KernelEnd | m.ScriptedEnd | m.RemoteEnd
#: How long calls wait unless told otherwise, in seconds of session time; None waits for ever.
WAIT_S = 10.0
#: What this package speaks.
API = "tcproctor.v1"
#: At most in one SEND.
_SEND_BYTES = 1 << 20


def end_spec(kind: EndKind) -> m.EndSpec:
    if isinstance(kind, m.EndSpec):
        return kind
    kinds = members(m.EndSpec, "kind")
    end = kind if isinstance(kind, Message) else kinds.get(m.EndKind.parse(kind).name.lower(), Message)()
    for name, settings in kinds.items():
        if isinstance(end, settings):
            return m.EndSpec(**{name: end})
    raise ValueError(f"an end is {', '.join(kinds)} or one of these with settings, not {kind!r}")


async def connect(address: str | None = None, timeout: float = 10.0, *, tls: _channel.Tls | None = None) -> Client:
    """The daemon at "unix:PATH" or "HOST:PORT", by default the local one.

    Unavailable: nobody answers there, or one side does not take the other's certificate. PermissionDenied: the
    daemon has no rule for our certificate. FailedPrecondition: it speaks another version of the API.
    """
    client = Client(address or _channel.default_address(), tls)
    try:
        info = await client.server_info(timeout=timeout)
        if info.api not in ("", API):
            raise errors.FailedPrecondition(f"the daemon (version {info.version}) speaks {info.api}, not {API}")
    except BaseException:
        await client.close()
        raise
    return client


class _Block:
    """What close() ends is a context manager."""

    async def close(self) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            await self.close()
        except Exception as later:
            if error is None:
                raise
            # The daemon may have died in the block: what is to be seen is what happened there.
            error.add_note(f"and when the block was left: {type(later).__name__}: {later}")


class Client(_Block):
    """A daemon. Usable as a context manager; its sessions end with it."""

    def __init__(self, address: str, tls: _channel.Tls | None = None) -> None:
        """Nothing is sent; connect() makes sure that somebody answers."""
        self.address = address
        self.transport = transport.Transport(address, tls)
        self.sessions: list[Session] = []
        #: Called with each session while it is still there, before it is deleted.
        self.before_delete: list[Callable[[Session], Awaitable[None]]] = []

    async def close(self) -> None:
        """Ends its sessions, all of them, and raises the first error of these."""
        first: Exception | None = None
        try:
            for session in list(self.sessions):
                try:
                    await session.close()
                except Exception as error:
                    first = first or error
        finally:
            await self.transport.close()
        if first:
            raise first

    async def call(self, method: Method[Request, Response], request: Request,
                   timeout: float | None = None, request_id: str | None = None) -> Response:
        """Any unary RPC of tcproctor.methods. `timeout`: seconds of real time, a watchdog.

        `request_id`: the call may be repeated with the same one when its answer was lost, and is not done twice.
        """
        return await self.transport.call(method, request, timeout, request_id)

    async def require(self, *capabilities: str) -> None:
        """Unimplemented, which says what is missing, unless the daemon has them all (ServerInfo.capabilities).

        To be asked before using what came after 0.1.0: a daemon ignores fields it does not know.
        """
        info = await self.server_info()
        for name in capabilities:
            if name not in info.capabilities:
                why = info.missing.get(name, "it is too old")
                raise errors.Unimplemented(f"the daemon (version {info.version}) lacks {name}: {why}")

    def stream(self, method: Method[Request, Response], request: Request) -> AsyncIterator[Response]:
        """Any RPC that answers with a stream."""
        return self.transport.stream(method, request)

    async def server_info(self, timeout: float | None = None) -> m.ServerInfo:
        return await self.call(methods.Sessions.GET_SERVER_INFO, m.GetServerInfoRequest(), timeout)

    async def list_sessions(self) -> list[m.Session]:
        return (await self.call(methods.Sessions.LIST_SESSIONS, m.ListSessionsRequest())).sessions

    async def session(self, a: EndKind = "stack", b: EndKind = "scripted", *,
                      virtual_clock: bool = False, lease: float = 30.0, **request: Any) -> Session:
        """A new session: `with daemon.session(a="stack", b="kernel") as session:`.

        Its lease is renewed as long as it is open. Further fields are those of CreateSessionRequest.
        """
        wanted = m.CreateSessionRequest(a=end_spec(a), b=end_spec(b), lease=lease, **request)
        if virtual_clock:
            wanted.clock = m.Clock.VIRTUAL
        if wanted.clock is m.Clock.VIRTUAL:
            # Only a Drive stream can move its clock.
            drive, info = await Drive.begin(self.transport, wanted)
            return Session(self, info, drive, None)
        info = await self.call(methods.Sessions.CREATE_SESSION, wanted)

        async def renew() -> bool:
            try:
                await self.call(methods.Sessions.RENEW_LEASE, m.RenewLeaseRequest(session=info.id), 10.0)
            except errors.NotFound:
                return False
            except errors.RpcError:
                pass  # perhaps the next time
            return True

        return Session(self, info, None, transport.Renewal(max(lease / 3, 0.3), renew))

    async def list_cases(self, filter: str = "") -> list[m.CaseInfo]:
        return (await self.call(methods.Suite.LIST_CASES, m.ListCasesRequest(filter=filter))).cases

    def run_cases(self, **request: Any) -> AsyncIterator[m.RunCasesResponse]:
        """Runs the suite and tells each result as it comes; fields are those of RunCasesRequest."""
        return self.stream(methods.Suite.RUN_CASES, m.RunCasesRequest(**request))


class Session(_Block):
    """A wire with two ends. A context manager: left, the session and all that is in it are gone."""

    def __init__(self, client: Client, info: m.Session, drive: Drive | None,
                 renewal: transport.Renewal | None) -> None:
        self.client = client
        #: As it was when made.
        self.info = info
        self._drive = drive
        self._renewal = renewal
        self.a = Endpoint(self, m.End.A, info.a or m.EndInfo())
        self.b = Endpoint(self, m.End.B, info.b or m.EndInfo())
        self.wire = Wire(self)
        self.open = True
        client.sessions.append(self)

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def virtual_clock(self) -> bool:
        return self.info.clock is m.Clock.VIRTUAL

    async def close(self) -> None:
        """Deletes it; harmless when it is gone."""
        if not self.open:
            return
        self.open = False
        self.client.sessions.remove(self)
        try:
            for told in self.client.before_delete:
                await told(self)
        finally:
            await self._end()

    async def _end(self) -> None:
        if self._renewal:
            await self._renewal.stop()
        if self._drive:
            await self._drive.close()
        try:
            await self.client.call(methods.Sessions.DELETE_SESSION, m.DeleteSessionRequest(session=self.id))
        except errors.NotFound:
            pass

    def end(self, name: m.AnyEnd) -> Endpoint:
        return self.a if m.End.parse(name) is m.End.A else self.b

    async def call(self, method: Method[Request, Response], request: Request) -> Response:
        """A unary RPC of this session. On a virtual clock the time passes that it has to wait."""
        if self._drive and _channel.is_command(request):
            return await self._drive.call(request, method.response)
        return await self.client.call(method, request)

    async def run_until(self, **request: Any) -> m.RunUntilResponse:
        """Lets session time pass; fields are those of RunUntilRequest: duration, time, idle."""
        wanted = m.RunUntilRequest(**request)
        if self._drive:
            return await self._drive.run_until(wanted)
        drive, _ = await Drive.begin(self.client.transport, m.AttachRequest(session=self.id))
        try:
            return await drive.run_until(wanted)
        finally:
            await drive.close()

    async def sleep(self, seconds: float) -> None:
        """Lets that much session time pass; on a virtual clock it takes none of yours."""
        if self.virtual_clock:
            await self.run_until(duration=seconds)
        else:
            await transport.sleep(seconds)

    async def now(self) -> float:
        """Session time, in seconds."""
        info = await self.client.call(methods.Sessions.GET_SESSION, m.GetSessionRequest(session=self.id))
        return info.now or 0.0

    async def connections(self, end: m.AnyEnd = m.End.UNSPECIFIED) -> list[m.ConnectionStatus]:
        """STATUS of all connections: listeners, half-open, TIME-WAIT and just closed ones too."""
        request = m.ListRequest(session=self.id, end=m.End.parse(end))
        return (await self.call(methods.Endpoint.LIST, request)).connections

    def connection(self, id: int) -> Connection:
        """The connection of that id."""
        return Connection(self, m.Outcome.OK, id, None)

    async def status_of(self, end: m.AnyEnd, local: tuple[str, int], remote: tuple[str, int],
                        ) -> m.ConnectionStatus:
        """STATUS by socket pair, half-open connections included. NotFound: there is none."""
        pair = m.FourTuple(local=m.SocketAddress(address=local[0], port=local[1]),
                           remote=m.SocketAddress(address=remote[0], port=remote[1]))
        ref = m.ConnectionRef(session=self.id, pair=pair, end=m.End.parse(end))
        return await self.call(methods.Endpoint.STATUS, m.StatusRequest(connection=ref))

    def watch(self, end: m.AnyEnd = m.End.UNSPECIFIED) -> AsyncIterator[m.ConnectionEvent]:
        """State changes, errors, alarms, from now on."""
        return self.client.stream(methods.Endpoint.WATCH, m.WatchRequest(session=self.id, end=m.End.parse(end)))

    async def reset(self) -> None:
        """Ends, log and clock as freshly made."""
        await self.call(methods.Sessions.RESET_SESSION, m.ResetSessionRequest(session=self.id))


class Endpoint:
    """The TCP at one end: the user/TCP interface of RFC 9293 §3.9.1."""

    def __init__(self, session: Session, end: m.End, info: m.EndInfo) -> None:
        self.session = session
        self.end = end
        self.info = info

    @property
    def peer(self) -> Endpoint:
        return self.session.b if self.end is m.End.A else self.session.a

    @property
    def kind(self) -> str:
        """"stack", "kernel" or "scripted"."""
        return self.info.kind.name.lower()

    @property
    def address(self) -> str:
        """Its first address."""
        return self.info.addresses[0].partition("/")[0] if self.info.addresses else ""

    def can(self, capability: str) -> bool:
        return capability in self.info.capabilities

    async def open(self, **request: Any) -> Connection:
        """OPEN; fields are those of OpenRequest."""
        wanted = m.OpenRequest(session=self.session.id, end=self.end, **request)
        answer = await self.session.call(methods.Endpoint.OPEN, wanted)
        return Connection(self.session, answer.outcome, answer.connection, answer.pair)

    async def listen(self, port: int, *, address: str = "", remote: tuple[str, int] | None = None,
                     options: m.ConnectionOptions | None = None, **request: Any) -> Connection:
        """OPEN, passive; with `remote` for that peer only. Further fields are those of OpenRequest."""
        return await self.open(local=m.SocketAddress(address=address, port=port), remote=_socket(remote),
                               options=options, **request)

    async def connect(self, port: int, *, address: str = "", local: tuple[str, int] | None = None,
                      wait: bool = True, timeout: float | None = WAIT_S,
                      options: m.ConnectionOptions | None = None, **request: Any) -> Connection:
        """OPEN, active, by default to the other end; returns when ESTABLISHED or failed: see its `outcome`.

        Further fields are those of OpenRequest.
        """
        remote = m.SocketAddress(address=address or self.peer.address, port=port)
        return await self.open(active=True, remote=remote, local=_socket(local), wait=wait,
                               timeout=timeout if wait else None, options=options, **request)

    async def connections(self) -> list[m.ConnectionStatus]:
        return await self.session.connections(self.end)


def _socket(pair: tuple[str, int] | None) -> m.SocketAddress | None:
    return m.SocketAddress(address=pair[0], port=pair[1]) if pair else None


class Connection:
    """A connection or a listener by its id: a handle. It lives until Release, Abort or the session's end."""

    def __init__(self, session: Session, outcome: m.Outcome, id: int, pair: m.FourTuple | None) -> None:
        self.session = session
        #: Of the call that made it: OK, or why it failed.
        self.outcome = outcome
        #: 0 where there is no connection.
        self.id = id
        self.pair = pair

    def __repr__(self) -> str:
        return f"Connection(id={self.id}, outcome={self.outcome.name}, pair={self.pair!r})"

    @property
    def ref(self) -> m.ConnectionRef:
        if self.id == 0:
            raise errors.NoConnection(f"there is no connection: its open or accept ended with {self.outcome.name}")
        return m.ConnectionRef(session=self.session.id, id=self.id)

    @property
    def local_port(self) -> int:
        return self.pair.local.port if self.pair and self.pair.local else 0

    async def accept(self, timeout: float | None = WAIT_S) -> Connection:
        """The next established connection of this listener. Outcome WOULD_BLOCK: none came in time."""
        answer = await self.session.call(methods.Endpoint.ACCEPT, m.AcceptRequest(listener=self.ref, timeout=timeout))
        return Connection(self.session, answer.outcome, answer.connection, answer.pair)

    async def send(self, data: bytes, *, push: bool = False, urgent: bool = False,
                   timeout: float | None = WAIT_S) -> m.SendResponse:
        """SEND, in as many calls as it needs; `accepted` is the total. Timeout 0 takes what fits now."""
        total = m.SendResponse(outcome=m.Outcome.OK)
        for start in range(0, max(len(data), 1), _SEND_BYTES):
            part = data[start:start + _SEND_BYTES]
            answer = await self.session.call(methods.Endpoint.SEND, m.SendRequest(
                connection=self.ref, data=part, push=push, urgent=urgent, timeout=timeout))
            total.outcome = answer.outcome
            total.accepted += answer.accepted
            if answer.outcome is not m.Outcome.OK or answer.accepted < len(part):
                break
        return total

    async def receive(self, max_bytes: int = 65536, *, min_bytes: int = 1,
                      timeout: float | None = WAIT_S) -> m.ReceiveResponse:
        """RECEIVE. Outcome END_OF_STREAM: the peer closed and everything was read."""
        return await self.session.call(methods.Endpoint.RECEIVE, m.ReceiveRequest(
            connection=self.ref, max_bytes=max_bytes, min_bytes=min_bytes, timeout=timeout))

    async def close(self, **request: Any) -> m.Outcome:
        """CLOSE: FIN after queued data, then go on receiving. Further fields are those of CloseRequest."""
        wanted = m.CloseRequest(connection=self.ref, **request)
        return (await self.session.call(methods.Endpoint.CLOSE, wanted)).outcome

    async def release(self) -> m.Outcome:
        """Gives the connection up as close(2) does."""
        return (await self.session.call(methods.Endpoint.RELEASE, m.ReleaseRequest(connection=self.ref))).outcome

    async def abort(self) -> m.Outcome:
        """ABORT: RST."""
        return (await self.session.call(methods.Endpoint.ABORT, m.AbortRequest(connection=self.ref))).outcome

    async def status(self) -> m.ConnectionStatus:
        """STATUS; what a TCP does not tell is None."""
        return await self.session.call(methods.Endpoint.STATUS, m.StatusRequest(connection=self.ref))

    async def state(self) -> m.TcpState:
        return (await self.status()).state

    async def wait_state(self, *states: m.AnyTcpState, timeout: float | None = WAIT_S) -> m.TcpState:
        """Waits until it is in one of the states; the state it is in then, or when the time is over."""
        wanted = [m.TcpState.parse(state) for state in states]
        answer = await self.session.call(methods.Endpoint.WAIT_STATE, m.WaitStateRequest(
            connection=self.ref, states=wanted, timeout=timeout))
        return answer.status.state if answer.status else m.TcpState.UNSPECIFIED

    async def options(self) -> m.ConnectionOptions:
        return await self.session.call(methods.Endpoint.GET_OPTIONS, m.GetOptionsRequest(connection=self.ref))

    async def set_options(self, **options: Any) -> m.ConnectionOptions:
        """Changes those given (fields of ConnectionOptions); returns them all."""
        return await self.session.call(methods.Endpoint.SET_OPTIONS, m.SetOptionsRequest(
            connection=self.ref, options=m.ConnectionOptions(**options)))

    async def serve(self, kind: m.AnyServiceKind, **request: Any) -> None:
        """Hosts a byte service on it, or on all that this listener accepts; fields are those of ServeRequest."""
        await self.session.call(methods.Endpoint.SERVE, m.ServeRequest(
            connection=self.ref, kind=m.ServiceKind.parse(kind), **request))

    async def traffic(self, wait: bool = False, timeout: float | None = WAIT_S) -> list[m.TrafficResponseFlow]:
        """What the byte service has moved; with `wait` when it has ended."""
        return (await self.session.call(methods.Endpoint.TRAFFIC, m.TrafficRequest(
            connection=self.ref, wait=wait, timeout=timeout))).flows
