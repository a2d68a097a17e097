# SPDX-License-Identifier: Apache-2.0
"""gRPC and the passing of time for the blocking API; tcproctor/aio/transport.py is the same with asyncio."""
from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from tcproctor import errors, methods
from tcproctor._channel import OPTIONS, Stubs, Tls, metadata
from tcproctor._message import Method, Request, Response


def sleep(seconds: float) -> None:
    time.sleep(seconds)


class Transport:
    def __init__(self, address: str, tls: Tls | None = None) -> None:
        if tls:
            self._channel = grpc.secure_channel(address, tls.credentials(address), options=OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address, options=OPTIONS)
        self._stubs = Stubs(self._channel)

    def call(self, method: Method[Request, Response], request: Request,
             timeout: float | None = None, request_id: str | None = None) -> Response:
        call = self._stubs.of(method)
        try:
            answer = call(request.to_proto(), timeout=timeout, metadata=metadata(request_id))
            return method.response.from_proto(answer)
        except grpc.RpcError as error:
            raise errors.from_grpc(error) from None

    def stream(self, method: Method[Request, Response], request: Request) -> Iterator[Response]:
        call = self._stubs.of(method)(request.to_proto())
        try:
            for proto in call:
                yield method.response.from_proto(proto)
        except grpc.RpcError as error:
            raise errors.from_grpc(error) from None
        finally:
            call.cancel()

    def duplex(self) -> Duplex:
        return Duplex(self._stubs.of(methods.Drive.DRIVE))

    def close(self) -> None:
        self._channel.close()


class Duplex:
    """A Drive stream."""

    def __init__(self, method: Any) -> None:
        # None ends the writing.
        self._commands: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._reports = method(iter(self._commands.get, None))

    def write(self, command: Any) -> None:
        self._commands.put(command)

    def read(self) -> Any:
        try:
            return next(self._reports)
        except StopIteration:
            raise errors.Unavailable("the daemon ended the Drive stream") from None
        except grpc.RpcError as error:
            raise errors.from_grpc(error) from None

    def close(self) -> None:
        """Ends it in order: what it made is gone when this returns."""
        self._commands.put(None)
        try:
            for _ in self._reports:
                pass
        except grpc.RpcError:
            pass  # it has ended already


class Lock:
    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Renewal:
    """Calls `renew` every `period_s` seconds until it is stopped or `renew` says False."""

    def __init__(self, period_s: float, renew: Callable[[], bool]) -> None:
        self._stopped = threading.Event()

        def run() -> None:
            while not self._stopped.wait(period_s) and renew():
                pass

        self._thread = threading.Thread(target=run, daemon=True, name="tcproctor lease")
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
