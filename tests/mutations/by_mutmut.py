"""mutmut on modules of the wallet: what becomes of each change it thinks of, and which ones nobody notices.

    python -m tests.mutations.by_mutmut wallet/refunds.py [...] [--tests commands --tests fees]
    python -m tests.mutations.by_mutmut wallet/refunds.py --again     goes on; then only what survived

A copy of the tree is changed (runs/mutmut), never the tree itself. The tests of the wallet judge, on SQLite
only; mypy judges first. Exit 1 where a mutant survives. Needs the extra `mutmut`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "runs" / "mutmut"
COPIED = ("wallet", "api", "cameras", "vision", "tests", "docs", "constraints.txt")
# They read our source or documents as text, or work in processes that do not know which mutant is meant.
NOT_JUDGES = ("architecture", "visits_document", "review_document", "crash", "fee_kill")
NOT_TESTS = "not postgresql and not no_float and not in_one_module_only and not every_column_of_a_sealed_row"
VERDICTS = ("killed", "caught by type check", "timeout", "survived", "no tests", "not checked")


def copy_tree(folder: Path, modules: list[str], tests: list[str]) -> None:
    """Puts the tree into a folder with a `[tool.mutmut]` of its own."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copy2(source, folder / name)
    mypy = [sys.executable, "-m", "mypy", "--output", "json", "--disable-error-code", "unused-ignore"]
    settings = {
        "source_paths": ["wallet"],
        "only_mutate": modules,
        "also_copy": [name for name in COPIED if name not in ("wallet", "tests")],
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-k", NOT_TESTS],
        "pytest_add_cli_args_test_selection": tests,
        "type_check_command": [*mypy, "-p", "wallet"],
    }
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    (folder / "pyproject.toml").write_text(f"{(ROOT / 'pyproject.toml').read_text()}\n[tool.mutmut]\n{lines}")


def verdicts(folder: Path, module: str) -> dict[str, str]:
    """What became of each mutant of a module, by its name."""
    meta = folder / "mutants" / f"{module}.meta"
    if not meta.exists():
        return {}
    found = json.loads(meta.read_text())["exit_code_by_key"]
    return {name: status_by_exit_code[code] for name, code in found.items()}


def mutmut(folder: Path, *arguments: str, quietly: bool = False) -> str:
    """Runs mutmut in a folder; what it said, where it is to be quiet."""
    run = subprocess.run(
        [str(Path(sys.executable).with_name("mutmut")), *arguments],
        cwd=folder,
        # Under CI Hypothesis draws the same numbers each time, and a slow machine is no failure.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"CI": "true"},
        stdout=subprocess.PIPE if quietly else None,
        text=True,
        check=False,
    )
    return run.stdout or ""


def report(folder: Path, modules: list[str], *, diffs: bool) -> int:
    """Prints a line for each module and the change of each survivor; how many survived."""
    left: list[str] = []
    sys.stdout.write(f"{'':28}{'mutants':>9}" + "".join(f"{name:>22}" for name in VERDICTS) + "\n")
    for module in modules:
        found = verdicts(folder, module)
        many = Counter(one if one in VERDICTS else "timeout" for one in found.values())
        numbers = "".join(f"{many[name]:22}" for name in VERDICTS)
        sys.stdout.write(f"{module:28}{len(found):9}{numbers}\n")
        left += [name for name, verdict in found.items() if verdict in ("survived", "no tests")]
    for name in left:
        sys.stdout.write(f"\n{mutmut(folder, 'show', name, quietly=True)}" if diffs else f"{name}\n")
    return len(left)


def play(said: argparse.Namespace, tests: list[str]) -> None:
    """Runs what was asked for; --again goes on where a run stopped, or tries once more what survived it."""
    if not said.again:
        shutil.rmtree(said.folder, ignore_errors=True)
    said.folder.mkdir(parents=True, exist_ok=True)
    copy_tree(said.folder, said.modules, tests)
    found = {name: one for module in said.modules for name, one in verdicts(said.folder, module).items()}
    left = [name for name, verdict in found.items() if verdict in ("survived", "no tests")]
    if left and "not checked" not in found.values():
        mutmut(said.folder, "run", "--max-children", str(said.processes), *left)
    elif not found or "not checked" in found.values():
        mutmut(said.folder, "run", "--max-children", str(said.processes))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="by_mutmut", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("modules", nargs="+", help="such as wallet/refunds.py")
    parser.add_argument(
        "--tests", action="append", default=[], metavar="NAME", help="tests/wallet/test_NAME.py"
    )
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--again", action="store_true", help="go on, or only what survived")
    parser.add_argument("--report", action="store_true", help="only print what is known")
    said = parser.parse_args(arguments)
    for module in said.modules:
        if not (ROOT / module).is_file() or not module.startswith("wallet/"):
            parser.error(f"{module} is no module of the wallet")
    wanted = said.tests or sorted(
        path.stem.removeprefix("test_") for path in (ROOT / "tests" / "wallet").glob("test_*.py")
    )
    tests = [f"tests/wallet/test_{name}.py" for name in wanted if name not in NOT_JUDGES]
    if not said.report:
        play(said, tests)
    return min(1, report(said.folder, said.modules, diffs=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
