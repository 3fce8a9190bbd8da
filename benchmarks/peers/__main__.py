"""One package in a process of its own; started by `beside`.

python -m benchmarks.peers MEASURE PACKAGE URL SIZE
"""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib import import_module

from benchmarks.peers import parts, project


def main(measure: str, package: str, url: str, size: str) -> None:
    """Print the measures as JSON."""
    project.set_up(package, url)
    # It reads the models, so the settings came first. Some packages talk about what they do.
    module = import_module(f"benchmarks.peers.{measure}")
    with redirect_stdout(sys.stderr):
        found = [asdict(each) for each in module.measures(package, parts.Size(*json.loads(size)))]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
