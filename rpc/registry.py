"""The served methods: found on the objects that the plugins' `rpc()` return, called by name.

A public method `list_connections` of the plugin `smtp` is `smtp.ListConnections`. It has at most one parameter, whose
annotation decodes the argument: a builtin, a dataclass, a msgspec Struct; without an annotation, any value. A method
ignores its argument where it has no parameter, or one whose name begins with `_`. An empty argument is the parameter's
default, else the zero value of its type.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Any, Final, NamedTuple, get_type_hints

import msgspec

from ..container.errors import HostError, reason_of
from ..goridge.frame import PROTO
from .codecs import Codec, gives_message, is_message, not_served
from .errors import RPCError

Parameter = inspect.Parameter

_EMPTY: Final[tuple[Any, ...]] = (None, False, 0, "", b"", [], {})
"""Candidates for the zero value of a parameter: it is the first one that the parameter's type takes."""
_NO_ZERO: Final = object()
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Method(NamedTuple):
    """One method. `name`: on the wire. `doc`: its docstring. `takes`: the type of its argument, None to ignore it.

    `zero`: stands for an empty argument; `optional`: the parameter has a default. `proto`: whether messages of protobuf
    carry both its argument and its result.
    """

    name: str
    call: Callable[..., Any]
    doc: str
    takes: Any
    zero: Any
    optional: bool
    proto: bool

    def arguments(self, codec: Codec, data: bytes) -> tuple[Any, ...]:
        """Return the arguments of a call. Raises RPCError for an argument of a wrong type, and names both types."""
        if codec.flag == PROTO and not self.proto:
            raise not_served("the codec PROTO")
        if codec.general and (self.takes is None or (self.optional and not data)):
            return ()
        try:
            if data or not codec.general:
                return (codec.decode(data, self.takes),)
            if self.zero is not _NO_ZERO:
                return (msgspec.convert(self.zero, self.takes),)
        except (ValueError, TypeError, RecursionError) as error:
            raise RPCError(f"rpc: wrong argument for {self.name} ({codec.name}): {reason_of(error)}") from error
        raise RPCError(f"rpc: {self.name} needs an argument")

    def encoded(self, codec: Codec, result: object) -> bytes:
        """Return an encoded result. Raises RPCError."""
        try:
            return codec.encode(result)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            reason = reason_of(error)
            raise RPCError(f"rpc: the result of {self.name} cannot be encoded as {codec.name}: {reason}") from error


class Registry:
    """The methods of every service."""

    def __init__(self) -> None:
        self._services: dict[str, dict[str, Method]] = {}

    def add(self, service: str, target: object) -> None:
        """Serve the public methods of `target` as `<service>.<Method>`.

        Raises HostError, in one sentence, for a method that cannot be served and for a second service of one name.
        """
        if service in self._services:
            raise HostError(f"rpc: the service {service} is there already")
        methods: dict[str, Method] = {}
        for attribute in dir(target):
            if attribute.startswith("_") or not _is_method(target, attribute):
                continue
            name = pascal_case(attribute)
            if name in methods:
                raise HostError(f"rpc: {service}.{name} is the name of two methods of {type(target).__qualname__}")
            methods[name] = _method(f"{service}.{name}", getattr(target, attribute))
        self._services[service] = methods

    def find(self, name: str) -> Method:
        """Return the method `service.Method`; the last dot splits. Raises RPCError for an unknown one.

        The error names a service or a method with a similar name.
        """
        service, dot, method = name.rpartition(".")
        if not dot:
            raise RPCError(f"rpc: service/method request ill-formed: {name}")
        if service not in self._services:
            near = _nearest(service, self._services)
            raise RPCError(f"rpc: can't find service {name}" + (near and f"; did you mean {near}.{method}?"))
        if method not in self._services[service]:
            near = _nearest(method, self._services[service])
            raise RPCError(f"rpc: can't find method {name}" + (near and f"; did you mean {service}.{near}?"))
        return self._services[service][method]

    def __contains__(self, service: str) -> bool:
        return service in self._services

    def describe(self) -> Sequence[Method]:
        """Return every method, sorted by name."""
        return sorted((method for methods in self._services.values() for method in methods.values()), key=_by_name)


def pascal_case(name: str) -> str:
    """Return `list_connections` as `ListConnections`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _by_name(method: Method) -> str:
    return method.name


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like this one, whatever the case; empty when none is."""
    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.replace("_", "").casefold(), folded, n=1)
    return folded[near[0]] if near else ""


def _is_method(target: object, attribute: str) -> bool:
    # Static, because a property must not run.
    return isinstance(inspect.getattr_static(target, attribute), (FunctionType, classmethod, staticmethod))


def _method(name: str, call: Callable[..., Any]) -> Method:
    parameters = list(inspect.signature(call).parameters.values())
    usable = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
    needed = [
        parameter
        for parameter in parameters
        if parameter not in usable[:1]
        and parameter.default is Parameter.empty
        and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    ]
    if needed:
        raise HostError(f"rpc cannot serve {name}: a method takes one argument at most")
    doc = inspect.getdoc(call) or ""
    try:
        hints = get_type_hints(call, include_extras=True)
    except (NameError, TypeError) as error:
        if usable:
            raise HostError(f"rpc cannot serve {name}: {reason_of(error)}") from error
        hints = {}
    gives = gives_message(hints.get("return", Any))
    if not usable:
        return Method(name, call, doc, None, None, optional=False, proto=gives)
    takes = hints.get(usable[0].name, Any)
    try:
        zero = next((empty for empty in _EMPTY if _takes(takes, empty)), _NO_ZERO)
    except TypeError as error:
        raise HostError(f"rpc cannot serve {name}: {reason_of(error)}") from error
    if usable[0].name.startswith("_"):
        ignored = () if usable[0].default is not Parameter.empty else (None if zero is _NO_ZERO else zero,)
        return Method(name, functools.partial(call, *ignored), doc, None, None, optional=False, proto=gives)
    optional = usable[0].default is not Parameter.empty
    return Method(name, call, doc, takes, zero, optional=optional, proto=gives and is_message(takes))


def _takes(kind: type, value: object) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
