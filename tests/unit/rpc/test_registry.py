"""The registry: which methods are found, under which names, and how an argument becomes a parameter."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from support.rpc.host import Connection, Range, SMTPMethods, TestMethods, encoded_result

from rrpy.container.errors import HostError
from rrpy.goridge.frame import JSON, MSGPACK, RAW
from rrpy.rpc.codecs import CODECS
from rrpy.rpc.errors import RPCError
from rrpy.rpc.registry import Registry, pascal_case

pytestmark = pytest.mark.anyio


def registry_of(**services: object) -> Registry:
    registry = Registry()
    for name, target in services.items():
        registry.add(name, target)
    return registry


def test_names_are_in_pascal_case() -> None:
    assert [pascal_case(name) for name in ("list", "list_connections", "listAll", "a__b_")] == [
        "List",
        "ListConnections",
        "ListAll",
        "AB",
    ]


class Kinds:
    """Every kind of attribute."""

    constant = 7

    def __init__(self) -> None:
        self.field = "x"
        self.callback = print

    @property
    def expensive(self) -> int:
        raise AssertionError("a property must not run")

    def _private(self) -> int:
        return 0

    def plain(self) -> str:
        """Plain.

        Second line.
        """
        return "plain"

    async def later(self) -> str:
        return "later"

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__

    @staticmethod
    def of_nobody(value: int) -> int:
        return value

    def default(self, count: int = 3, more: int = 4) -> int:
        return count * more

    def any_more(self, first: str, *rest: int, **options: int) -> str:
        return first


class Inheriting(Kinds):
    pass


async def run(registry: Registry, name: str, data: bytes = b"", flag: int = JSON) -> bytes:
    return await encoded_result(registry.find(name), data, flag)


async def test_public_methods_are_served_and_nothing_else_is_touched() -> None:
    registry = registry_of(k=Inheriting())
    assert [method.name for method in registry.describe()] == [
        "k.AnyMore",
        "k.Default",
        "k.Later",
        "k.OfClass",
        "k.OfNobody",
        "k.Plain",
    ]
    assert await run(registry, "k.Plain") == b'"plain"'
    assert await run(registry, "k.Later") == b'"later"'
    assert await run(registry, "k.OfClass") == b'"Inheriting"'
    assert await run(registry, "k.OfNobody", b"5") == b"5"
    assert await run(registry, "k.AnyMore", b'"a"') == b'"a"'


def test_the_docstring_is_the_documentation() -> None:
    described = {method.name: method.doc for method in registry_of(k=Kinds()).describe()}
    assert described["k.Plain"] == "Plain.\n\nSecond line."
    assert described["k.Later"] == ""


async def test_a_method_without_a_parameter_ignores_its_argument() -> None:
    for data in (b"", b"true", b"not json"):
        assert await run(registry_of(k=Kinds()), "k.Plain", data) == b'"plain"'


async def test_a_parameter_with_an_underscore_ignores_the_argument() -> None:
    """RoadRunner's methods take an unused boolean, and clients send what they like: null, a text, nothing."""

    class Ignoring:
        def unused(self, _: bool) -> str:
            return repr(_)

        def default(self, _name: str = "x") -> str:
            return _name

        def needy(self, _: Needy) -> str:
            return repr(_)

    registry = registry_of(i=Ignoring())
    for data in (b"", b"null", b'""', b"true", b"7", b"not json"):
        assert await run(registry, "i.Unused", data) == b'"False"'
        assert await run(registry, "i.Default", data) == b'"x"'
        assert await run(registry, "i.Needy", data) == b'"None"'
    for data in (b"", b"\xc0", b"\xa0", b"\xc3"):
        assert await run(registry, "i.Unused", data, MSGPACK) == b"\xa5False"


async def test_an_empty_argument_is_the_default_of_the_parameter() -> None:
    registry = registry_of(k=Kinds())
    assert await run(registry, "k.Default") == b"12"
    assert await run(registry, "k.Default", b"2") == b"8"


@dataclass
class Needy:
    name: str


def echo_of(annotation: object) -> object:
    """An object with a method `echo` whose parameter has this annotation."""

    class Echo:
        def echo(self, value):
            return repr(value)

    Echo.echo.__annotations__["value"] = annotation
    return Echo()


@pytest.mark.parametrize(
    ("annotation", "zero"),
    [
        (bool, False),
        (int, 0),
        (float, 0.0),
        (str, ""),
        (bytes, b""),
        (list, []),
        (list[str], []),
        (set[str], set()),
        (tuple[int, ...], ()),
        (dict[str, int], {}),
        (Range, Range(0, 10)),
        (int | None, None),
        (Any, None),
        (object, None),
    ],
    ids=str,
)
async def test_an_empty_argument_is_the_zero_value(annotation: object, zero: object) -> None:
    for flag in (JSON, MSGPACK):
        result = await run(registry_of(e=echo_of(annotation)), "e.Echo", b"", flag)
        assert CODECS[flag].decode(result, str) == repr(zero)


@pytest.mark.parametrize("annotation", [Needy, Connection], ids=str)
async def test_a_type_without_a_zero_value_needs_an_argument(annotation: object) -> None:
    with pytest.raises(RPCError, match=r"^rpc: e\.Echo needs an argument$"):
        await run(registry_of(e=echo_of(annotation)), "e.Echo")


async def test_two_empty_arguments_are_not_the_same_list() -> None:
    class Grow:
        def grow(self, items: list[int]) -> list[int]:
            items.append(1)
            return items

    registry = registry_of(g=Grow())
    assert [await run(registry, "g.Grow") for _ in range(2)] == [b"[1]", b"[1]"]


@pytest.mark.parametrize("flag", [JSON, MSGPACK])
@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (str, 7, "expected `str`, got `int`"),
        (bool, "true", "expected `bool`, got `str`"),
        (int, True, "expected `int`, got `bool`"),
        (int, None, "expected `int`, got `null`"),
        (Range, {"first": "a"}, "expected `int`, got `str` - at `$.first`"),
        (Connection, {"uuid": "a"}, "object missing required field `remote_addr`"),
    ],
)
async def test_a_wrong_type_is_an_error_that_names_both(
    flag: int, annotation: object, value: object, text: str
) -> None:
    data = CODECS[flag].encode(value)
    with pytest.raises(RPCError) as raised:
        await run(registry_of(e=echo_of(annotation)), "e.Echo", data, flag)
    assert str(raised.value) == f"rpc: wrong argument for e.Echo ({CODECS[flag].name}): {text}"


@pytest.mark.parametrize(
    ("flag", "data"), [(JSON, b"{"), (JSON, b"[" * 100000), (MSGPACK, b"\xc1"), (MSGPACK, b"\x91" * 5000)]
)
async def test_an_argument_that_cannot_be_read_is_an_error_with_a_reason(flag: int, data: bytes) -> None:
    with pytest.raises(RPCError, match=rf"^rpc: wrong argument for t\.Echo \({CODECS[flag].name}\): \w"):
        await run(registry_of(t=TestMethods()), "t.Echo", data, flag)


async def test_raw_goes_to_methods_that_take_bytes_alone() -> None:
    registry = registry_of(t=TestMethods())
    assert await run(registry, "t.Upper", b"ab", RAW) == b"AB"
    assert await run(registry, "t.Upper", b"", RAW) == b""
    assert await run(registry, "t.Text", b"ab", RAW) == "2 bytes, ü".encode()
    for name in ("t.Echo", "t.Open", "t.Nothing", "t.Length"):
        with pytest.raises(RPCError, match=r"^unknown Raw payload type$"):
            await run(registry, name, b"x", RAW)


@pytest.mark.parametrize("flag", [JSON, MSGPACK])
@pytest.mark.parametrize(
    "result",
    [object(), "\ud800", {"a": [object()]}, {(1, 2): object()}],
    ids=["object", "surrogate", "nested object", "tuple key"],
)
async def test_a_result_that_the_codec_cannot_say_is_an_error(flag: int, result: object) -> None:
    class Give:
        def give(self) -> object:
            return result

    with pytest.raises(RPCError, match=rf"^rpc: the result of g\.Give cannot be encoded as {CODECS[flag].name}: "):
        await run(registry_of(g=Give()), "g.Give", b"", flag)


async def test_a_number_that_msgpack_cannot_say_is_an_error() -> None:
    class Give:
        def give(self) -> int:
            return 1 << 70

    with pytest.raises(RPCError, match="cannot be encoded as MSGPACK: integer value out of range"):
        await run(registry_of(g=Give()), "g.Give", b"", MSGPACK)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("foo", "rpc: service/method request ill-formed: foo"),
        ("", "rpc: service/method request ill-formed: "),
        ("X.Y", "rpc: can't find service X.Y"),
        (".Echo", "rpc: can't find service .Echo"),
        ("a.b.ListConnections", "rpc: can't find service a.b.ListConnections"),
        ("smtp.Nope", "rpc: can't find method smtp.Nope"),
        ("smtp.", "rpc: can't find method smtp."),
        ("smtp.list_connections", "rpc: can't find method smtp.list_connections; did you mean smtp.ListConnections?"),
        ("smtp.ListConnection", "rpc: can't find method smtp.ListConnection; did you mean smtp.ListConnections?"),
        ("smpt.ListConnections", "rpc: can't find service smpt.ListConnections; did you mean smtp.ListConnections?"),
        ("smtp.__init__", "rpc: can't find method smtp.__init__"),
    ],
)
def test_the_texts_that_clients_match_on(name: str, text: str) -> None:
    with pytest.raises(RPCError) as raised:
        registry_of(smtp=SMTPMethods()).find(name)
    assert str(raised.value) == text


def test_the_last_dot_splits() -> None:
    registry = Registry()
    registry.add("my.plugin", SMTPMethods())
    assert registry.find("my.plugin.ListConnections").name == "my.plugin.ListConnections"


def method(function: Callable[..., object]) -> object:
    return type("One", (), {"do_it": function})()


def _unresolved(self: object, value: Undefined) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def _two_arrays(self: object, value: list[int] | set[int]) -> None: ...


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (method(lambda self, a, b: None), "rpc cannot serve x.DoIt: a method takes one argument at most"),
        (method(lambda self, *, a: None), "rpc cannot serve x.DoIt: a method takes one argument at most"),
        (method(_unresolved), "rpc cannot serve x.DoIt: name 'Undefined' is not defined"),
        (method(_two_arrays), "rpc cannot serve x.DoIt: type unions may not contain"),
        (
            type("Two", (), {"do_it": lambda self: 1, "doIt": lambda self: 2})(),
            "rpc: x.DoIt is the name of two methods of Two",
        ),
    ],
    ids=["two arguments", "keyword", "unknown name", "union", "same name"],
)
def test_a_method_that_cannot_be_served_is_an_error_at_the_start(target: object, text: str) -> None:
    registry = Registry()
    with pytest.raises(HostError) as raised:
        registry.add("x", target)
    assert str(raised.value).startswith(text)
    assert registry.describe() == []


def test_a_service_is_served_once() -> None:
    registry = registry_of(smtp=SMTPMethods())
    with pytest.raises(HostError, match="the service smtp is there already"):
        registry.add("smtp", TestMethods())


async def test_a_decorated_method_keeps_its_parameter() -> None:
    def logged(function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def wrapper(*args: object) -> object:
            return function(*args)

        return wrapper

    class Decorated:
        @logged
        def double(self, value: int) -> int:
            return value * 2

    registry = registry_of(d=Decorated())
    assert await run(registry, "d.Double", b"4") == b"8"
    with pytest.raises(RPCError, match="expected `int`"):
        await run(registry, "d.Double", b'"4"')


async def test_a_struct_that_takes_no_unknown_key_says_so() -> None:
    class Strict(msgspec.Struct, forbid_unknown_fields=True):
        a: int = 0

    with pytest.raises(RPCError, match="object contains unknown field `b`"):
        await run(registry_of(e=echo_of(Strict)), "e.Echo", b'{"b":1}')
