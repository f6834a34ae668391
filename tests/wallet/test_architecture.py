"""SQL stands in the store modules only; the wallet is handed its clock and its ids, and knows no outside."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import wallet

PACKAGE = Path(wallet.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# Tables, triggers and the audit are SQL by nature.
SPEAK_SQL = {"columns.py", "tables.py", "forecourt_tables.py", "door_tables.py", "guards.py", "audit.py"}
SPEAK_SQL |= {"command_tables.py", "audit_sql.py", "audit_ledger.py", "audit_forecourt.py"}
SPEAK_SQL |= {"audit_commands.py", "review_tables.py", "audit_reviews.py", "twin_tables.py"}
SPEAK_SQL |= {"proof_tables.py", "limit_tables.py", "fee_tables.py", "near_plates.py"}
HANDED_ON = {"Connection", "Engine"}
OUTSIDE = {"os", "time", "random", "secrets", "socket", "subprocess", "logging", "fastapi", "redis", "httpx"}
OUTSIDE |= {"numpy", "cv2", "vision", "cameras", "api", "models"}
# A pair of sockets by which a thread is woken leads nowhere.
INSIDE = {"store/singles.py": {"socket"}}


def _imports(path):
    """(module, name) of everything a module imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def _name(path):
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_only_the_store_speaks_sql(path):
    if path.parent.name == "store" or path.name in SPEAK_SQL:
        return
    spoken = {name for module, name in _imports(path) if module.split(".")[0] == "sqlalchemy"}
    assert spoken <= HANDED_ON


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nothing_of_the_outside_is_imported(path):
    outside = OUTSIDE - INSIDE.get(_name(path), set())
    assert {module.split(".")[0] for module, _ in _imports(path)} & outside == set()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nobody_looks_at_a_clock(path):
    tree = ast.parse(path.read_text("utf-8"))
    looked = [
        n.attr
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and n.attr in {"now", "utcnow", "today"}
    ]
    # `setting.now` is the moment that was handed in.
    assert [attr for attr in looked if attr != "now"] == []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr != "now", f"{_name(path)}:{node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_stays_readable(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 70, f"{_name(path)}: {node.name}"
