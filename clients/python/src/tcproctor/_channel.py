# SPDX-License-Identifier: Apache-2.0
"""Where a daemon is, and what both kinds of transport share."""
from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from tcproctor import errors
from tcproctor._message import AnyMessage, Message, Method
from tcproctor.v1 import drive_pb2

#: Never through an HTTP proxy; a log can be long.
OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)]

_COMMANDS = {item.message_type.full_name: item.name
             for item in drive_pb2.Command.DESCRIPTOR.oneofs_by_name["command"].fields}


def default_address() -> str:
    """Where a daemon listens unless told otherwise."""
    if os.geteuid() == 0:
        return "unix:/run/tcproctor.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return f"unix:{runtime}/tcproctor.sock" if runtime else f"unix:/tmp/tcproctor-{os.geteuid()}.sock"


@dataclass(frozen=True)
class Tls:
    """Mutual TLS, for a daemon on another machine: PEM files, read when connecting."""

    #: Of which the daemon's certificate must be; it must name the host of the address.
    ca: str | Path
    #: Ours, of a CA that the daemon knows, and its key, without a password.
    cert: str | Path
    key: str | Path

    def credentials(self, address: str) -> Any:
        if address.startswith("unix:"):
            raise errors.TlsError("a Unix socket is without TLS; want HOST:PORT")
        parts = []
        for name in ("ca", "key", "cert"):
            path = Path(getattr(self, name))
            try:
                parts.append(path.read_bytes())
            except OSError as error:
                raise errors.TlsError(f"{name}: {path}: {error.strerror}") from None
        return grpc.ssl_channel_credentials(*parts)


#: The metadata of a call that may be repeated.
REQUEST_ID = "tcproctor-request-id"


def metadata(request_id: str | None) -> list[tuple[str, str]] | None:
    return [(REQUEST_ID, request_id)] if request_id else None


class Stubs:
    """The RPCs of a channel by their Method."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._made: dict[str, Any] = {}

    def of(self, method: Method[Any, Any]) -> Any:
        stub = self._made.get(method.stubs)
        if stub is None:
            stub = getattr(importlib.import_module(method.stubs), method.service + "Stub")(self._channel)
            self._made[method.stubs] = stub
        return getattr(stub, method.name)


def command(operation: int, request: Message) -> Any:
    """A request as a command of a Drive stream."""
    proto = request.to_proto()
    name = _COMMANDS.get(proto.DESCRIPTOR.full_name)
    if name is None:
        raise TypeError(f"{type(request).__name__} is no command of a Drive stream")
    made = drive_pb2.Command(operation=operation)
    getattr(made, name).CopyFrom(proto)
    return made


def is_command(request: Message) -> bool:
    return request._proto.DESCRIPTOR.full_name in _COMMANDS


def result(report: Any, response: type[AnyMessage]) -> AnyMessage:
    """What a report answers."""
    return response.from_proto(getattr(report, report.WhichOneof("result")))
