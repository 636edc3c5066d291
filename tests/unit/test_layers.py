"""The circles of imports that the contract `circles` in pyproject.toml does not see: of a package and its own parts."""

from __future__ import annotations

import grimp


def test_no_module_imports_a_package_that_it_is_part_of() -> None:
    graph = grimp.build_graph("rrpy", cache_dir=None)
    assert "rrpy.smtp_plugin.protocol.dialog" in graph.modules
    circles = [
        (module, imported)
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if module.startswith(f"{imported}.")
    ]
    assert circles == []
