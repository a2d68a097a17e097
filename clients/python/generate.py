# SPDX-License-Identifier: Apache-2.0
"""Makes what the package has of the protos: protoc's modules, the dataclasses, the blocking API.

  tcproctor/v1/       protoc's modules and gRPC stubs (grpc_python_plugin)
  tcproctor/messages.py   a dataclass for each message, an IntEnum for each enum, with the comments of the protos
  tcproctor/methods.py    each RPC with the types it takes and gives
  tcproctor/sync/     the blocking API, from the asyncio one in tcproctor/aio
"""
from __future__ import annotations

import keyword
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

PACKAGE = "tcproctor.v1"
LICENCE = "# SPDX-License-Identifier: Apache-2.0\n"
SECONDS = {".google.protobuf.Duration", ".google.protobuf.Timestamp"}
PLAIN = {
    Field.TYPE_BOOL: ("bool", "False"),
    Field.TYPE_STRING: ("str", '""'),
    Field.TYPE_BYTES: ("_bytes", 'b""'),  # there are fields named bytes
    Field.TYPE_DOUBLE: ("float", "0.0"),
    Field.TYPE_FLOAT: ("float", "0.0"),
}


def generate(protos: Path, package: Path, out: Path) -> None:
    files = run_protoc(protos, out)
    (out / "tcproctor/v1/__init__.py").write_text(LICENCE)
    (out / "tcproctor/messages.py").write_text("".join(messages_module(files)))
    (out / "tcproctor/methods.py").write_text("".join(methods_module(files)))
    make_sync(package / "tcproctor/aio", out / "tcproctor/sync")


def run_protoc(protos: Path, out: Path) -> list[descriptor_pb2.FileDescriptorProto]:
    plugin = shutil.which("grpc_python_plugin")
    protoc = shutil.which("protoc")
    if not plugin or not protoc:
        raise SystemExit("tcproctor: protoc and grpc_python_plugin are needed: "
                         "apt-get install protobuf-compiler protobuf-compiler-grpc")
    names = sorted(str(path.relative_to(protos)) for path in protos.glob("tcproctor/v1/*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".pb") as described:
        subprocess.run(
            [protoc, f"-I{protos}", f"--python_out={out}", f"--pyi_out={out}", f"--grpc_out={out}",
             f"--plugin=protoc-gen-grpc={plugin}", f"--descriptor_set_out={described.name}",
             "--include_source_info", *names], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(described.name).read_bytes())
    return list(files.file)


# ---- tcproctor/messages.py ---------------------------------------------------------------------

def python_name(full_name: str) -> str:
    """.tcproctor.v1.SackBlocks.Block is SackBlocksBlock."""
    return full_name.removeprefix(f".{PACKAGE}.").replace(".", "")


class Comments:
    """The comments of a file, by the path of what they stand beside."""

    def __init__(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        self._by_path = {tuple(location.path): location for location in file.source_code_info.location}

    def of(self, path: tuple[int, ...]) -> str:
        location = self._by_path.get(path)
        if not location:
            return ""
        return (location.leading_comments.strip() or location.trailing_comments.strip()).replace("\n ", "\n")


def docstring(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"""', "'''")
    return '    """' + escaped.replace("\n", "\n    ") + '"""\n' if text else ""


def remark(text: str) -> str:
    return "".join(f"    #: {line}\n" for line in text.splitlines())


def messages_module(files: list[descriptor_pb2.FileDescriptorProto]) -> Iterator[str]:
    yield LICENCE
    yield ('"""Made from proto/tcproctor/v1. Durations and times are seconds; None is what is absent."""\n'
           "from __future__ import annotations\n\n"
           "from dataclasses import dataclass, field\n\n"
           "from tcproctor import _extra\n"
           "from tcproctor._message import EnumBase, Message, register, register_enum\n")
    modules = [Path(file.name).stem for file in files]
    yield "from tcproctor.v1 import " + ", ".join(f"{name}_pb2" for name in modules) + "\n\n_bytes = bytes\n"
    for file, module in zip(files, modules):
        comments = Comments(file)
        for index, enum in enumerate(file.enum_type):
            yield from enum_class(enum, enum.name, enum.name, comments, (5, index))
        for index, message in enumerate(file.message_type):
            yield from message_class(message, message.name, f"{module}_pb2.{message.name}", comments, (4, index))


def enum_class(enum: descriptor_pb2.EnumDescriptorProto, name: str, scoped: str, comments: Comments,
               path: tuple[int, ...]) -> Iterator[str]:
    # TcpState's values all begin with TCP_STATE_, Result's with RESULT_.
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    yield f'\n\n@register_enum("{PACKAGE}.{scoped}")\nclass {name}(EnumBase):\n{docstring(comments.of(path))}'
    for index, value in enumerate(enum.value):
        yield remark(comments.of((*path, 2, index)))
        yield f"    {value.name.removeprefix(prefix)} = {value.number}\n"


def message_class(message: descriptor_pb2.DescriptorProto, name: str, proto: str, comments: Comments,
                  path: tuple[int, ...]) -> Iterator[str]:
    scope = proto.split(".", 1)[1]
    for index, nested_enum in enumerate(message.enum_type):
        yield from enum_class(nested_enum, name + nested_enum.name, f"{scope}.{nested_enum.name}", comments,
                              (*path, 4, index))
    maps = {}
    for index, nested in enumerate(message.nested_type):
        if nested.options.map_entry:
            maps[nested.name] = nested
        else:
            yield from message_class(nested, name + nested.name, f"{proto}.{nested.name}", comments,
                                     (*path, 3, index))
    base = f"_extra.{name}" if has_extra(name) else "Message"
    yield f"\n\n@register({proto})\n@dataclass(kw_only=True, repr=False)\nclass {name}({base}):\n"
    text = comments.of(path)
    yield docstring(text) or ("    pass\n" if not message.field else "")
    for index, item in enumerate(message.field):
        yield remark(comments.of((*path, 2, index)))
        own = item.name + "_" if keyword.iskeyword(item.name) else item.name
        yield f"    {own}: {annotation(item, maps)}\n"


def has_extra(name: str) -> bool:
    """Whether what is written by hand adds something to that message."""
    return f"\nclass {name}(" in (Path(__file__).parent / "src/tcproctor/_extra.py").read_text()


def type_of(item: Field) -> tuple[str, str]:
    if item.type == Field.TYPE_MESSAGE:
        return ("float" if item.type_name in SECONDS else python_name(item.type_name)), "None"
    if item.type == Field.TYPE_ENUM:
        name = python_name(item.type_name)
        return name, f"{name}(0)"
    return PLAIN.get(item.type, ("int", "0"))


def annotation(item: Field, maps: dict[str, descriptor_pb2.DescriptorProto]) -> str:
    kind, default = type_of(item)
    if item.label == Field.LABEL_REPEATED:
        entry = maps.get(item.type_name.rsplit(".", 1)[-1])
        if entry:
            key, value = (type_of(part)[0] for part in entry.field)
            return f"dict[{key}, {value}] = field(default_factory=dict)"
        return f"list[{kind}] = field(default_factory=list)"
    if item.HasField("oneof_index") or default == "None":
        return f"{kind} | None = None"
    return f"{kind} = {default}"


# ---- tcproctor/methods.py ----------------------------------------------------------------------

def methods_module(files: list[descriptor_pb2.FileDescriptorProto]) -> Iterator[str]:
    yield LICENCE
    yield ('"""Made from proto/tcproctor/v1: every RPC."""\n'
           "from tcproctor import messages as m\nfrom tcproctor._message import Method\n")
    for file in files:
        comments = Comments(file)
        stubs = f"tcproctor.v1.{Path(file.name).stem}_pb2_grpc"
        for service_index, service in enumerate(file.service):
            yield f"\n\nclass {service.name}:\n"
            yield docstring(comments.of((6, service_index))) + "\n"
            for index, method in enumerate(service.method):
                yield remark(comments.of((6, service_index, 2, index)))
                name = re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).upper()
                types = ", ".join(f"m.{python_name(kind)}" for kind in (method.input_type, method.output_type))
                yield f'    {name} = Method("{stubs}", "{service.name}", "{method.name}", {types})\n'


# ---- tcproctor/sync ----------------------------------------------------------------------------

#: What turns the asyncio API into the blocking one, in this order.
SYNC_WORDS = [
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bCallable\[(.*?), Awaitable\[(\w+)\]\]", r"Callable[\1, \2]"),
    (r"\bAwaitable, Callable\b", "Callable"),
    (r"\b__a(enter|exit|iter)__\b", r"__\1__"),
    (r"\b__anext__\b", "__next__"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\btcproctor\.aio\b", "tcproctor.sync"),
]


def make_sync(source: Path, out: Path) -> None:
    """Each module but transport.py, which both sides have of their own."""
    for path in source.glob("*.py"):
        if path.name in ("transport.py", "__init__.py"):
            continue
        text = path.read_text()
        for pattern, replacement in SYNC_WORDS:
            text = re.sub(pattern, replacement, text)
        (out / path.name).write_text(text)
