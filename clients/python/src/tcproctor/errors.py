# SPDX-License-Identifier: Apache-2.0
"""Misuse as exceptions. What the protocol does (refused, reset, timed out) is data in the answers."""
from __future__ import annotations

from typing import Any, ClassVar

import grpc


class TcproctorError(Exception):
    """What this package raises."""


class NoConnection(TcproctorError):
    """A call on a connection that never came to be; the message names the outcome of its open."""


class DaemonError(TcproctorError):
    """A private daemon could not be started."""


class TlsError(TcproctorError):
    """The files for TLS cannot be used."""


class RpcError(TcproctorError):
    """The daemon, or the way to it, said no: `code` is gRPC's, `message` says what was wrong."""

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(self, message: str) -> None:
        super().__init__(f"{self.code.name}: {message}")
        self.message = message


class Cancelled(RpcError):
    code = grpc.StatusCode.CANCELLED


class InvalidArgument(RpcError):
    """A field is wrong; the message names it and says what would be right."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class DeadlineExceeded(RpcError):
    code = grpc.StatusCode.DEADLINE_EXCEEDED


class NotFound(RpcError):
    """No such session (never was, deleted, or its lease ran out) or connection."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(RpcError):
    code = grpc.StatusCode.ALREADY_EXISTS


class PermissionDenied(RpcError):
    code = grpc.StatusCode.PERMISSION_DENIED


class ResourceExhausted(RpcError):
    """A limit was reached; the message names it."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class FailedPrecondition(RpcError):
    """The machine lacks something, or the end has no TCP (it is scripted)."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(RpcError):
    code = grpc.StatusCode.ABORTED


class OutOfRange(RpcError):
    code = grpc.StatusCode.OUT_OF_RANGE


class Unimplemented(RpcError):
    """This TCP cannot do it; the message names the capability."""

    code = grpc.StatusCode.UNIMPLEMENTED


class Internal(RpcError):
    code = grpc.StatusCode.INTERNAL


class Unavailable(RpcError):
    """No daemon there."""

    code = grpc.StatusCode.UNAVAILABLE


class DataLoss(RpcError):
    """What was asked for is in the log no more."""

    code = grpc.StatusCode.DATA_LOSS


class Unauthenticated(RpcError):
    code = grpc.StatusCode.UNAUTHENTICATED


_by_code = {cls.code: cls for cls in RpcError.__subclasses__()}
_by_number = {code.value[0]: code for code in grpc.StatusCode}


def from_code(code: grpc.StatusCode, message: str) -> RpcError:
    return _by_code.get(code, RpcError)(message)


def from_number(number: int, message: str) -> RpcError:
    return from_code(_by_number.get(number, grpc.StatusCode.UNKNOWN), message)


def from_grpc(error: Any) -> RpcError:
    return from_code(error.code(), error.details() or "")
