# SPDX-License-Identifier: Apache-2.0
"""Makes what the package has of the protos: protoc's modules, the dataclasses, the blocking API.

  tcproctor/v1/       protoc's modules and gRPC stubs (grpc_python_plugin)
  tcproctor/messages.py   a dataclass for each message, an IntEnum for each enum and the type of what stands for it in a
                          call, with the comments of the protos
  tcproctor/methods.py    each RPC with the types it takes and gives
  tcproctor/segments.py, tcproctor/aio/   as written, but **request of a call is the fields of its message
  tcproctor/sync/     the blocking API, from the asyncio one in tcproctor/aio
"""
from __future__ import annotations

import ast
import keyword
import re
import shutil
import subprocess
import tempfile
import textwrap
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
    spelled = Spelling(files)
    for path in (package / "tcproctor/segments.py", *sorted((package / "tcproctor/aio").glob("*.py"))):
        (out / path.relative_to(package)).write_text(spelled.out(path))
    make_sync(out / "tcproctor/aio", out / "tcproctor/sync")


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


def python_field(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


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
           "from dataclasses import dataclass, field\n"
           "from typing import Literal\n\n"
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
    yield any_of_enum(name, [value.name.removeprefix(prefix) for value in enum.value if value.number])


def any_of_enum(name: str, values: list[str]) -> str:
    """A type for what calls take: End is m.AnyEnd there, and m.End.parse() makes one of it."""
    # parse() takes any case; there is a type for the two that anybody writes.
    spelled = [case.replace("_", joint) for value in values for case in (value, value.lower()) for joint in "_-"]
    literals = ", ".join(f'"{text}"' for text in dict.fromkeys(spelled))
    return f"\n\n#: {name}, or its name.\n" + wrapped(f"Any{name} = {name} | Literal[{literals}]") + "\n"


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
        yield f"    {python_field(item.name)}: {annotation(item, maps)}\n"


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


# ---- tcproctor/segments.py, tcproctor/aio -------------------------------------------------------

Function = ast.FunctionDef | ast.AsyncFunctionDef
IMPORT = "from tcproctor import messages as m"


class Spelling:
    """Writes `**request: Any` of public functions out as keywords with types, which mypy and help() can tell.

    Which they are is seen in the body, where the function hands them on: m.OpenRequest(end=…, **request) takes the
    message's fields without `end`; self.open(…, **request) and segments.tcp(…, **header) what is left of theirs.
    """

    def __init__(self, files: list[descriptor_pb2.FileDescriptorProto]) -> None:
        self._messages = {f"m.{message.name}": message for file in files for message in file.message_type}
        self._functions: dict[str, Function] = {}
        self._scopes: dict[Function, str] = {}  # its class or module

    def out(self, path: Path) -> str:
        lines = path.read_text().splitlines()
        tree = ast.parse("\n".join(lines))
        open_ended: list[Function] = []
        for owner in (tree, *(item for item in tree.body if isinstance(item, ast.ClassDef))):
            scope = owner.name if isinstance(owner, ast.ClassDef) else path.stem
            for item in owner.body:
                if isinstance(item, Function):
                    self._functions[f"{scope}.{item.name}"] = item
                    self._scopes[item] = scope
                    if item.args.kwarg and not item.name.startswith("_"):
                        open_ended.append(item)
        for function in reversed(sorted(open_ended, key=lambda item: item.lineno)):
            spell_out(lines, function, self._further(function))
        if open_ended:
            lines.insert(lines.index(IMPORT) + 1, "from tcproctor._message import given")
        return "\n".join(lines) + "\n"

    def _further(self, function: Function) -> dict[str, str]:
        """What its ** stands for: names with type and default."""
        assert function.args.kwarg
        call = next((call for call in ast.walk(function) if isinstance(call, ast.Call)
                     and any(hands_on(part, function.args.kwarg.arg) for part in call.keywords)), None)
        if call is None:
            raise SystemExit(f"generate.py: {function.name}: nothing takes **{function.args.kwarg.arg}")
        callee = re.sub(r"^self\b", self._scopes[function], ast.unparse(call.func))
        if callee in self._messages:
            taken = fields_of(self._messages[callee])
        else:
            taken = self._keywords(self._functions[callee], len(call.args))
        own = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
        own |= {part.arg for part in call.keywords if part.arg}
        return {name: rest for name, rest in taken.items() if name not in own}

    def _keywords(self, function: Function, positional: int) -> dict[str, str]:
        args = function.args
        plain = [argument for argument in args.args if argument.arg != "self"]
        defaults = [None] * (len(plain) - len(args.defaults)) + args.defaults
        pairs = [*zip(plain, defaults)][positional:] + [*zip(args.kwonlyargs, args.kw_defaults)]
        keywords = {argument.arg: ast.unparse(argument.annotation) + (f" = {ast.unparse(default)}" if default else "")
                    for argument, default in pairs}
        return keywords | (self._further(function) if args.kwarg else {})


def hands_on(part: ast.keyword, name: str) -> bool:
    """f(**name), or f(**{**others, **name})"""
    values = part.value.values if isinstance(part.value, ast.Dict) else [part.value]
    return part.arg is None and any(isinstance(value, ast.Name) and value.id == name for value in values)


def fields_of(message: descriptor_pb2.DescriptorProto) -> dict[str, str]:
    maps = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
    found = {}
    for item in message.field:
        kind = annotation(item, maps).partition(" = ")[0].removesuffix(" | None").replace("_bytes", "bytes")
        found[python_field(item.name)] = re.sub(r"\b(?=[A-Z])", "m.", kind) + " | None = None"
    return found


def spell_out(lines: list[str], function: Function, further: dict[str, str]) -> None:
    """In the lines of its module. What is None was not given."""
    rest = function.args.kwarg
    assert rest
    first = function.body[1 if ast.get_docstring(function) else 0]
    given = ", ".join(f"{name}={name}" for name in further)
    lines.insert(first.lineno - 1, wrapped(f"{' ' * first.col_offset}{rest.arg}: dict[str, Any] = given({given})"))
    # \0 is a space at which no line is broken.
    keywords = ", ".join(f"{name}: {kind}".replace(" ", "\0") for name, kind in further.items())
    line = lines[rest.lineno - 1].replace(" -> ", "\0->\0")
    star = "" if function.args.kwonlyargs else "*, "
    lines[rest.lineno - 1] = wrapped(line.replace(f"**{rest.arg}: Any", star + keywords)).replace("\0", " ")


def wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 8)
    return textwrap.fill(line, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


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
