# SPDX-License-Identifier: Apache-2.0
"""One ordered stream per session: the way to move a virtual clock."""
from __future__ import annotations

from typing import Any, Self

from tcproctor import _channel, errors
from tcproctor import messages as m
from tcproctor._message import AnyMessage, Message
from tcproctor.aio.transport import Duplex, Lock, Transport

#: Commands bound their own waiting; this only ends a wait that nothing else ends.
_ENDLESS_S = 3.6e6


class Drive:
    """Carries out commands in order. On a virtual clock a call that waits lets the time pass that it needs."""

    def __init__(self, stream: Duplex) -> None:
        self._stream = stream
        self._lock = Lock()
        self._operation = 0
        self._registered: set[int] = set()
        self._results: dict[int, Any] = {}
        self._virtual = False
        self.now_s = 0.0  # session time, as last heard

    @classmethod
    async def begin(cls, transport: Transport, first: m.CreateSessionRequest | m.AttachRequest,
                    ) -> tuple[Self, m.Session]:
        """A stream on a session made with it (and ending with it), or on one that is there."""
        drive = cls(await transport.duplex())
        try:
            session = await drive.call(first, m.Session)
        except BaseException:
            await drive.close()
            raise
        drive._virtual = session.clock is m.Clock.VIRTUAL
        return drive, session

    async def call(self, request: Message, response: type[AnyMessage]) -> AnyMessage:
        """Carries a command out and waits for its result. Misuse raises what the unary call would raise."""
        async with self._lock:
            operation = await self._send(request)
            await self._read_until(operation, or_registered=True)
            if operation not in self._results:
                await self._let_time_pass(operation)
            await self._read_until(operation)
            return self._take(operation, response)

    async def _let_time_pass(self, operation: int) -> None:
        if not self._virtual or not self._registered:
            return
        run = await self._send(m.RunUntilRequest(operations=[operation], duration=_ENDLESS_S))
        await self._read_until(run)
        self._take(run, m.RunUntilResponse)
        if operation not in self._results:
            # Nothing is left that could happen: it would wait for ever.
            cancel = await self._send(m.CancelRequest(operation=operation))
            await self._read_until(cancel)
            del self._results[cancel]

    async def _send(self, request: Message) -> int:
        self._operation += 1
        await self._stream.write(_channel.command(self._operation, request))
        return self._operation

    async def _read_until(self, operation: int, or_registered: bool = False) -> None:
        while operation not in self._results:
            if or_registered and operation in self._registered:
                return
            report = await self._stream.read()
            if report.HasField("now"):
                self.now_s = report.now.seconds + report.now.nanos / 1e9
            if report.operation == 0:
                continue  # events; Endpoint.Watch tells them
            if report.WhichOneof("result") == "registered":
                self._registered.add(report.operation)
            else:
                self._results[report.operation] = report

    def _take(self, operation: int, response: type[AnyMessage]) -> AnyMessage:
        self._registered.discard(operation)
        report = self._results.pop(operation)
        if report.error_code:
            raise errors.from_number(report.error_code, report.error_message)
        return _channel.result(report, response)

    async def run_until(self, request: m.RunUntilRequest) -> m.RunUntilResponse:
        """Lets session time pass; see RunUntilRequest."""
        async with self._lock:
            operation = await self._send(request)
            await self._read_until(operation)
            return self._take(operation, m.RunUntilResponse)

    async def close(self) -> None:
        await self._stream.close()
