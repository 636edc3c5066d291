from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rrpy.container.errors import ConfigError
from rrpy.container.loader import load_plugins

SOURCE = """
class Base:
    name = "base"
    def init(self): ...
    async def serve(self, *, task_status): ...
    async def stop(self): ...

class Good(Base):
    name = "good"

class Outer:
    class Inner(Base):
        name = "inner"

class Needy(Base):
    def __init__(self, argument): ...

class Broken(Base):
    def __init__(self):
        raise RuntimeError("no luck\\nat all")

class Nameless:
    def init(self): ...
    async def serve(self, *, task_status): ...

instance = Good()
instance.name = "made"
number = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with modules; what is imported from it, and its place in sys.path, are undone."""
    (tmp_path / "rrpy_others.py").write_text(SOURCE)
    (tmp_path / "rrpy_syntax.py").write_text("def (:\n")
    (tmp_path / "rrpy_raises.py").write_text("raise OSError('no disk')\n")
    (tmp_path / "rrpy_imports.py").write_text("import rrpy_nothing_at_all\n")
    (tmp_path / "rrpy_exits.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "rrpy_pack").mkdir()
    (tmp_path / "rrpy_pack" / "part.py").write_text(SOURCE)
    (tmp_path / "json.py").write_text("raise AssertionError('the standard library is hidden')\n")
    before, modules = [*sys.path], {*sys.modules}
    yield tmp_path
    sys.path[:] = before
    for name in {*sys.modules} - modules:
        del sys.modules[name]


def refusal(folder: Path, specification: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_plugins([specification], folder)
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_a_class_is_made_and_an_instance_is_taken_as_it_is(folder):
    specifications = ["rrpy_others:Good", "rrpy_others:instance", "rrpy_others:Outer.Inner", "rrpy_pack.part:Good"]
    assert [plugin.name for plugin in load_plugins(specifications, folder)] == ["good", "made", "inner", "good"]


def test_one_class_that_is_named_twice_is_made_twice(folder):
    one, two = load_plugins(["rrpy_others:Good", "rrpy_others:Good"], folder)
    assert one is not two


def test_the_folder_comes_last_so_that_it_hides_nothing_and_once(folder):
    sys.modules.pop("json", None)
    load_plugins(["rrpy_others:Good"], folder)
    load_plugins(["rrpy_others:Good"], folder)
    assert sys.path[-1] == str(folder)
    assert sys.path.count(str(folder)) == 1
    import json

    assert not Path(json.__file__).is_relative_to(folder)


def test_a_relative_folder_is_meant_as_it_is_now(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    load_plugins(["rrpy_others:Good"], Path(folder.name))
    assert sys.path[-1] == str(folder)


def test_without_plugins_the_path_is_left_alone(folder):
    before = [*sys.path]
    assert load_plugins([], folder) == []
    assert sys.path == before


@pytest.mark.parametrize("specification", ["", ":", "rrpy_others", "rrpy_others:", ":Good", "rrpy_others.Good"])
def test_a_specification_is_a_module_a_colon_and_a_class(folder, specification):
    assert refusal(folder, specification) == f"plugins.0 is {specification!r}; it is written package.module:ClassName"


@pytest.mark.parametrize(
    ("specification", "reason"),
    [
        ("rrpy_nowhere:X", "rrpy_nowhere cannot be imported: No module named 'rrpy_nowhere'"),
        (
            "rrpy_others.deep:X",
            "rrpy_others.deep cannot be imported: No module named 'rrpy_others.deep'; 'rrpy_others' is not a package",
        ),
        ("rrpy_imports:X", "rrpy_imports cannot be imported: No module named 'rrpy_nothing_at_all'"),
        ("rrpy_raises:X", "rrpy_raises cannot be imported: OSError: no disk"),
        ("rrpy_exits:X", "rrpy_exits cannot be imported: SystemExit: 3"),
        ("rrpy_others:Bad", "rrpy_others has no Bad"),
        ("rrpy_others:Outer.Bad", "rrpy_others has no Outer.Bad"),
        ("rrpy_others:a:b", "rrpy_others has no a:b"),
        ("rrpy_others:Good.", "rrpy_others has no Good."),
        ("rrpy_others:Broken", "Broken() failed: RuntimeError: no luck at all"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence_with_the_specification_and_the_reason(folder, specification, reason):
    assert refusal(folder, specification) == f"plugins.0 is {specification!r}; {reason}"


@pytest.mark.parametrize("specification", ["..others:X", ".others:X", "rrpy_syntax:X", "a b:X", "rrpy_others/:X"])
def test_a_module_that_is_none_is_one_sentence_too(folder, specification):
    module = specification.partition(":")[0]
    assert refusal(folder, specification).startswith(f"plugins.0 is {specification!r}; {module} cannot be imported: ")


def test_a_class_that_wants_arguments_is_told_so(folder):
    said = refusal(folder, "rrpy_others:Needy")
    assert said.startswith("plugins.0 is 'rrpy_others:Needy'; Needy() failed: TypeError: ")
    assert "argument" in said


@pytest.mark.parametrize(
    ("name", "missing"),
    [("number", "name, init, serve, stop"), ("Nameless", "name, stop"), ("Outer", "name, init, serve, stop")],
)
def test_what_is_no_plugin_is_told_what_it_lacks(folder, name, missing):
    assert (
        refusal(folder, f"rrpy_others:{name}")
        == f"plugins.0 is 'rrpy_others:{name}'; it is not a plugin: it has no {missing}"
    )


def test_an_entry_is_named_by_its_number(folder):
    with pytest.raises(ConfigError, match=r"^plugins\.1 is 'rrpy_others:Bad'; rrpy_others has no Bad$"):
        load_plugins(["rrpy_others:Good", "rrpy_others:Bad"], folder)


def test_the_reason_is_chained_for_who_looks_for_it(folder):
    with pytest.raises(ConfigError) as caught:
        load_plugins(["rrpy_raises:X"], folder)
    assert isinstance(caught.value.__cause__, OSError)
