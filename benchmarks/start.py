"""What one waits for before anything happens: the import, and the first run of a fresh clone."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.measure import Measure, within

ROOT = Path(__file__).parents[1]
IMPORTS = 15


def importing() -> Iterator[Measure]:
    """Compare in fresh processes, interleaved; one of each first, to have the files cached."""
    times: dict[str, list[float]] = {"sqlalchemy": [], "efface": [], "efface.eraser": []}
    for number in range(IMPORTS + 1):
        for module, taken in times.items():
            seconds = seconds_to_import(f"sqlalchemy, {module}")
            if number:
                taken.append(seconds)
    for module, what in (
        ("efface", "import efface"),
        ("efface.eraser", "the same with its Eraser"),
    ):
        beyond = (median(times[module]) - median(times["sqlalchemy"])) * 1000
        yield within(f"{what}, beyond SQLAlchemy's own import", beyond, 40, "ms")


def seconds_to_import(module: str) -> float:
    """Return how long a fresh process takes for it."""
    code = (
        "from time import perf_counter; start = perf_counter(); "
        f"import {module}; print(perf_counter() - start)"
    )
    return float(subprocess.check_output([sys.executable, "-c", code], text=True))


def fresh_clone() -> Iterator[Measure]:
    """Clone what is committed and run its demo twice, the second time without a network."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "efface"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        first = seconds_of_demo(clone, {})
        # Nothing listens on port 9: an install would fail, and so would the demo.
        second = seconds_of_demo(
            clone, {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"}
        )
    yield within("from a fresh clone to the end of the story", first, 60, "s")
    yield within("the same again, without a network", second, 5, "s")


def seconds_of_demo(clone: Path, environment: dict[str, str]) -> float:
    """Return how long the whole story takes there."""
    env = {**os.environ, **environment, "ONCE": "1", "PORT": "0"}
    # A virtual environment of the caller's must not lend its packages.
    env.pop("PYTHONPATH", None)
    start = perf_counter()
    subprocess.run(["make", "demo"], cwd=clone, env=env, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start
