# SPDX-License-Identifier: Apache-2.0
"""What all dataclasses of tcproctor.messages have: the way to protobuf and back, by reflection."""
from __future__ import annotations

import dataclasses
import enum
import keyword
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Self, TypeVar

_NANOSECONDS = 1_000_000_000
_classes: dict[str, Any] = {}


class EnumBase(enum.IntEnum):
    """An enum of the protos; a value of a newer daemon is kept as it is."""

    @classmethod
    def _missing_(cls, value: object) -> EnumBase | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    @classmethod
    def parse(cls, value: Self | str | int) -> Self:
        """The member itself, its number, or its name in any case, hyphens taken for underscores."""
        if not isinstance(value, str):
            return cls(value)
        try:
            return cls[value.upper().replace("-", "_")]
        except KeyError:
            names = ", ".join(member.name for member in cls if member.value)
            raise ValueError(f"{cls.__name__} {value!r}: want one of {names}") from None


def _python_name(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


def given(**fields: Any) -> dict[str, Any]:
    """Those that are there."""
    return {name: value for name, value in fields.items() if value is not None}


@dataclasses.dataclass(kw_only=True, repr=False)
class Message:
    """A message of the protos. None is what is absent: a default when sent, anything when matched."""

    _proto: ClassVar[Any]

    def to_proto(self) -> Any:
        """The protobuf message. ValueError: two members of a oneof, or a value that does not fit."""
        proto = self._proto()
        for descriptor in self._proto.DESCRIPTOR.fields:
            value = getattr(self, _python_name(descriptor.name))
            if value is None:
                continue
            try:
                self._set(proto, descriptor, value)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{type(self).__name__}.{descriptor.name}: {error}") from None
        return proto

    @staticmethod
    def _set(proto: Any, descriptor: Any, value: Any) -> None:
        name: str = descriptor.name
        oneof = descriptor.containing_oneof
        if oneof and proto.WhichOneof(oneof.name) not in (None, name):
            raise ValueError(f"excludes {proto.WhichOneof(oneof.name)}, which is set as well")
        if descriptor.label == descriptor.LABEL_REPEATED:
            target = getattr(proto, name)
            if _is_map(descriptor):
                target.update(value)
            elif descriptor.message_type:
                target.extend(item.to_proto() for item in value)
            else:
                target.extend(value)
        elif not descriptor.message_type:
            setattr(proto, name, value)
        elif isinstance(value, Message):
            getattr(proto, name).CopyFrom(value.to_proto())
        else:
            nanoseconds = round(value * _NANOSECONDS)
            sign = -1 if nanoseconds < 0 else 1
            target = getattr(proto, name)
            target.seconds = sign * (abs(nanoseconds) // _NANOSECONDS)
            target.nanos = sign * (abs(nanoseconds) % _NANOSECONDS)
            target.SetInParent()

    @classmethod
    def from_proto(cls, proto: Any) -> Self:
        hints = {item.name: item for item in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for descriptor in proto.DESCRIPTOR.fields:
            name = _python_name(descriptor.name)
            if name not in hints:
                continue
            repeated = descriptor.label == descriptor.LABEL_REPEATED
            presence = not repeated and (descriptor.containing_oneof or descriptor.message_type)
            if presence and not proto.HasField(descriptor.name):
                continue
            value = getattr(proto, descriptor.name)
            if repeated and _is_map(descriptor):
                values[name] = dict(value)
            elif repeated:
                values[name] = [_to_python(descriptor, item) for item in value]
            else:
                values[name] = _to_python(descriptor, value)
        return cls(**values)

    def __repr__(self) -> str:
        """Only what is there."""
        shown = []
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            absent = item.default if item.default is not dataclasses.MISSING else None
            if value == absent or value in ([], {}):
                continue
            shown.append(f"{item.name}={value.name if isinstance(value, EnumBase) else repr(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _is_map(descriptor: Any) -> bool:
    return bool(descriptor.message_type and descriptor.message_type.GetOptions().map_entry)


def _to_python(descriptor: Any, value: Any) -> Any:
    if descriptor.enum_type:
        return _classes[descriptor.enum_type.full_name](value)
    if not descriptor.message_type:
        return value
    found = _classes.get(descriptor.message_type.full_name)
    if found:
        return found.from_proto(value)
    return value.seconds + value.nanos / _NANOSECONDS


def members(cls: type[Message], oneof: str) -> dict[str, Any]:
    """The messages of which it has one, by the names of the fields."""
    fields = cls._proto.DESCRIPTOR.oneofs_by_name[oneof].fields
    return {field.name: _classes[field.message_type.full_name] for field in fields}


AnyMessage = TypeVar("AnyMessage", bound=Message)
Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


def register(proto: Any) -> Callable[[type[AnyMessage]], type[AnyMessage]]:
    def bind(cls: type[AnyMessage]) -> type[AnyMessage]:
        cls._proto = proto
        _classes[proto.DESCRIPTOR.full_name] = cls
        return cls

    return bind


AnyEnum = TypeVar("AnyEnum", bound=EnumBase)


def register_enum(full_name: str) -> Callable[[type[AnyEnum]], type[AnyEnum]]:
    def bind(cls: type[AnyEnum]) -> type[AnyEnum]:
        _classes[full_name] = cls
        return cls

    return bind


@dataclasses.dataclass(frozen=True)
class Method(Generic[Request, Response]):
    """An RPC."""

    stubs: str  # module of the stub
    service: str
    name: str
    request: type[Request]
    response: type[Response]
