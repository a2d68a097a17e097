# SPDX-License-Identifier: Apache-2.0
"""gRPC and the passing of time for the asyncio API; tcproctor/sync/transport.py is the same with threads."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from tcproctor import errors, methods
from tcproctor._channel import OPTIONS, Stubs, Tls, metadata
from tcproctor._message import Method, Request, Response


async def sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


class Transport:
    def __init__(self, address: str, tls: Tls | None = None) -> None:
        if tls:
            self._channel = grpc.aio.secure_channel(address, tls.credentials(address), options=OPTIONS)
        else:
            self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self._stubs = Stubs(self._channel)

    async def call(self, method: Method[Request, Response], request: Request,
                   timeout: float | None = None, request_id: str | None = None) -> Response:
        call = self._stubs.of(method)
        try:
            answer = await call(request.to_proto(), timeout=timeout, metadata=metadata(request_id))
            return method.response.from_proto(answer)
        except grpc.aio.AioRpcError as error:
            raise errors.from_grpc(error) from None

    async def stream(self, method: Method[Request, Response], request: Request) -> AsyncIterator[Response]:
        call = self._stubs.of(method)(request.to_proto())
        try:
            async for proto in call:
                yield method.response.from_proto(proto)
        except grpc.aio.AioRpcError as error:
            raise errors.from_grpc(error) from None
        finally:
            call.cancel()

    async def duplex(self) -> Duplex:
        return Duplex(self._stubs.of(methods.Drive.DRIVE)())

    async def close(self) -> None:
        await self._channel.close()


class Duplex:
    """A Drive stream."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def write(self, command: Any) -> None:
        try:
            await self._call.write(command)
        except grpc.aio.AioRpcError as error:
            raise errors.from_grpc(error) from None
        except asyncio.InvalidStateError:
            raise errors.Unavailable("the Drive stream has ended") from None

    async def read(self) -> Any:
        try:
            report = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise errors.from_grpc(error) from None
        if report is grpc.aio.EOF:
            raise errors.Unavailable("the daemon ended the Drive stream")
        return report

    async def close(self) -> None:
        """Ends it in order: what it made is gone when this returns."""
        try:
            await self._call.done_writing()
            while await self._call.read() is not grpc.aio.EOF:
                pass
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # it has ended already


class Lock(asyncio.Lock):
    pass


class Renewal:
    """Calls `renew` every `period_s` seconds until it is stopped or `renew` says False."""

    def __init__(self, period_s: float, renew: Callable[[], Awaitable[bool]]) -> None:
        async def run() -> None:
            while await self._again(period_s, renew):
                pass

        self._task = asyncio.create_task(run())

    @staticmethod
    async def _again(period_s: float, renew: Callable[[], Awaitable[bool]]) -> bool:
        await asyncio.sleep(period_s)
        return await renew()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


