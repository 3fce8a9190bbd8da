"""Measure everything, or what is named: `python -m benchmarks closing site`."""

import argparse

from benchmarks import catalog, closing, core, hiding, lobsters, log_in, site, sockets, start
from benchmarks.measure import keep, show
from benchmarks.peers import beside

# The fresh clone comes last, because it loads the machine most.
MEASURES = {
    "closing": closing.against_hand_written,
    "statements": closing.statements,
    "core": core.one_person,
    "batch": core.many_people,
    "check": core.big_policy,
    "catalog": catalog.big_schema,
    "hiding": hiding.beside_hand_written,
    "peers": beside.others,
    "nobody": hiding.beside_no_listener,
    "log-in": log_in.with_and_without,
    "lobsters": lobsters.against_hand_written,
    "site": site.post_and_click,
    "sockets": sockets.thousand,
    "settings": site.settings_with_section,
    "import": start.importing,
    "clone": start.fresh_clone,
}


def main() -> int:
    """Print the table, keep it, and return 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*MEASURES, []], help="what to measure")
    named = parser.parse_args().name
    measures = []
    for name in named or MEASURES:
        print(f"Measuring {name} ...", flush=True)
        measures += MEASURES[name]()
    show(measures)
    keep(measures, whole=not named)
    beside.write_table()
    return 0 if all(each.holds for each in measures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
