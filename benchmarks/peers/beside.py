"""All packages on both databases, one process after the other, and the table of what was found."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path

from benchmarks.measure import LATEST, Measure
from benchmarks.peers import parts
from tests.support import databases

ROOT = Path(__file__).parents[2]
README = ROOT / "benchmarks" / "README.md"
BEGIN, END = "<!-- what was measured last -->\n", "<!-- until here -->\n"


def others(size: parts.Size = parts.WHOLE) -> Iterator[Measure]:
    with databases.server() as server:
        for measure, packages in parts.PARTS.items():
            for name in ("PostgreSQL", "SQLite"):
                for package in packages:
                    with _database(name, server, measure) as url:
                        found = _measured(measure, package, url, size)
                    for each in found:
                        yield replace(each, measure=f"Django, {each.measure}, {name}")


@contextmanager
def _database(name: str, server: str, measure: str) -> Iterator[str]:
    if name == "PostgreSQL":
        with databases.database_on(server, "peers") as url:
            yield url.render_as_string(hide_password=False)
    elif measure == "hiding":
        # In memory a statement costs least, and a filter shows most.
        yield "sqlite:///:memory:"
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/district.db"


def _measured(measure: str, package: str, url: str, size: parts.Size) -> list[Measure]:
    command = [sys.executable, "-m", "benchmarks.peers", measure, package, url]
    run = subprocess.run(
        [*command, json.dumps(astuple(size))],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        # What a package says while it works is of interest here alone.
        sys.stderr.write(run.stderr)
        run.check_returncode()
    return [Measure(**each) for each in json.loads(run.stdout)]


def write_table() -> None:
    """Write what is kept in `latest.json` about Django into the README, as a table."""
    rows: dict[str, dict[str, str]] = {}
    for line in json.loads(LATEST.read_text()):
        what, _, database = line["measure"].rpartition(", ")
        if what.startswith("Django, "):
            rows.setdefault(what.removeprefix("Django, "), {})[database] = _cell(line)
    table = "| | PostgreSQL | SQLite |\n|---|---|---|\n"
    for what, cells in rows.items():
        table += f"| {what} | {cells.get('PostgreSQL', '')} | {cells.get('SQLite', '')} |\n"
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


def _cell(line: dict) -> str:
    ratio = f"{line['ratio']:.2f}" if line["ratio"] < 10 else f"{line['ratio']:.0f}"
    return ratio if line["target"] is None else f"{ratio} of {line['target']:g}"
