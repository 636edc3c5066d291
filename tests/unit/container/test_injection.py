from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Protocol

import pytest

from rrpy.container.errors import DependencyError
from rrpy.container.injection import Dependency, dependencies, satisfies, type_name
from rrpy.container.protocols import Configurer, Logger

if TYPE_CHECKING:
    from pathlib import Path as OnlyForTheChecker  # what a plugin's author does by mistake


class Sender(Protocol):
    name: str

    def send(self, text: str) -> None: ...


class BusySender(Sender, Protocol):
    @property
    def waiting(self) -> int: ...


class Mailer:
    name = "mailer"

    def init(self) -> None: ...

    def send(self, text: str) -> None: ...


class BusyMailer(Mailer):
    waiting = 3


def plugin(init: Any) -> Any:
    return type("Asker", (), {"name": "asker", "init": init})()


def asked(init: Any) -> list[Dependency]:
    return dependencies(plugin(init))


def refusal(init: Any) -> str:
    with pytest.raises(DependencyError) as caught:
        asked(init)
    return str(caught.value)


def test_an_init_asks_by_its_annotations_in_order():
    def init(self, config: Configurer, log: Logger, mailer: Mailer, *, sender: Sender) -> None: ...

    assert asked(init) == [
        Dependency("config", Configurer, False),
        Dependency("log", Logger, False),
        Dependency("mailer", Mailer, False),
        Dependency("sender", Sender, False),
    ]


def test_an_init_that_asks_for_nothing_gets_nothing():
    assert asked(lambda self: None) == []


def test_what_may_be_none_is_optional_however_it_is_written():
    def init(self, a: Mailer | None, b: Optional[Mailer], c: None | Sender, d: Mailer | None = None) -> None: ...  # noqa: RUF036, UP045 - as people write it

    assert [(dependency.kind, dependency.optional) for dependency in asked(init)] == [
        (Mailer, True),
        (Mailer, True),
        (Sender, True),
        (Mailer, True),
    ]


def test_a_parameter_with_a_value_of_its_own_and_a_rest_are_left_alone():
    def init(self, mailer: Mailer, size: int = 5, *rest: Any, **more: Any) -> None: ...

    assert asked(init) == [Dependency("mailer", Mailer, False)]


def test_a_union_of_two_kinds_is_taken_as_it_is_and_fits_nobody():
    def init(self, either: Mailer | Sender) -> None: ...

    (dependency,) = asked(init)
    assert not dependency.optional
    assert not satisfies(Mailer(), dependency.kind)


def test_a_parameter_without_a_type_is_an_error_that_names_plugin_and_parameter():
    def init(self, config: Configurer, mailer) -> None: ...

    assert refusal(init) == "plugin asker: the parameter mailer of its init has no type, so nothing fits it"


def test_a_type_that_is_imported_for_the_checker_alone_is_an_error_that_says_so():
    def init(self, path: OnlyForTheChecker) -> None: ...

    said = refusal(init)
    assert said.startswith("plugin asker: the types of its init cannot be read: ")
    assert "OnlyForTheChecker" in said
    assert said.endswith("they must be imported at run time")


@pytest.mark.parametrize("annotation", ["not python", "os.nothing", "Mailer |"])
def test_an_annotation_that_is_no_type_is_an_error_that_names_the_plugin(annotation):
    def init(self, thing) -> None: ...

    init.__annotations__["thing"] = annotation
    assert refusal(init).startswith("plugin asker: the types of its init cannot be read: ")


def test_an_init_that_is_inherited_or_an_instances_own_is_read_too():
    class Base:
        name = "base"

        def init(self, log: Logger) -> None: ...

    class Child(Base):
        name = "child"

    assert dependencies(Child()) == [Dependency("log", Logger, False)]


def test_a_class_is_satisfied_by_its_instances_only():
    assert satisfies(Mailer(), Mailer)
    assert satisfies(BusyMailer(), Mailer)
    assert not satisfies(Mailer(), BusyMailer)
    assert not satisfies(Mailer, Mailer)


def test_a_protocol_is_satisfied_by_who_has_every_member_also_the_inherited_ones():
    assert satisfies(Mailer(), Sender)
    assert satisfies(BusyMailer(), BusySender)
    assert not satisfies(Mailer(), BusySender)
    assert not satisfies(object(), Sender)


def test_a_class_that_implements_a_protocol_by_inheritance_is_a_class():
    class Real(Sender):
        name = "real"

        def send(self, text: str) -> None: ...

    assert satisfies(Real(), Real)
    assert satisfies(Real(), Sender)
    assert not satisfies(Mailer(), Real)


def test_a_member_that_is_set_on_the_instance_or_in_slots_counts():
    class Late:
        def __init__(self) -> None:
            self.name = "late"
            self.send = print

    class Slotted:
        __slots__ = ("name", "send")

    assert satisfies(Late(), Sender)
    assert satisfies(Slotted(), Sender)


def test_looking_whether_somebody_fits_runs_none_of_their_code():
    class Trap:
        name = "trap"

        def send(self, text: str) -> None: ...

        @property
        def waiting(self) -> int:
            raise AssertionError("looked at")

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    assert satisfies(Trap(), BusySender)
    assert not satisfies(Trap(), Configurer)


@pytest.mark.parametrize("kind", [Any, "Mailer", list[int], None, 5, int | str])
def test_what_is_no_class_fits_nobody(kind):
    assert not satisfies(Mailer(), kind)


def test_object_as_a_wish_is_a_class_like_any_other():
    assert satisfies(Mailer(), object)


def test_types_are_called_by_their_names():
    assert type_name(Mailer) == "Mailer"
    assert type_name(Sender) == "Sender"
    assert type_name(Mailer | int).endswith("Mailer | int")
