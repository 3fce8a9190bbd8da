"""A process that closes Ada's account and stops at a point, to be killed there.

Run as: python -m tests.failures.child URL STAGE [STATEMENT]. It says "there" when it has stopped.
With the stage "elsewhere" it settles the closing that is recorded, knowing nothing but that.
"""

import sys
import threading

from sqlalchemy import make_url, select

from efface import Receipt
from efface.store.efface_tables import closings
from tests.failures.tripwire import Tripwire, wired
from tests.support.schemas import forum


def say(text):
    """Tell the parent."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def stop():
    """Say that the point is reached, and wait for the end."""
    say("there")
    threading.Event().wait()


def main(url, stage, statement="0"):
    """Close, commit and settle, as far as *stage*."""
    wire = Tripwire()
    engine = wired(make_url(url), wire)
    eraser = forum.eraser()
    if stage == "elsewhere":
        with engine.begin() as connection:
            stored = connection.scalar(select(closings.c.receipt))
            finalized = eraser.finalize(connection, Receipt.from_json(stored))
        say(finalized.to_json())
        return
    with engine.connect() as connection:
        eraser.plan(connection, 1)
    with engine.connect() as connection:
        with wire.set(int(statement) if stage == "closing" else None, stop):
            receipt = eraser.close_account(connection, 1, actor="test")
        if stage == "before commit":
            stop()
        connection.commit()
    if stage == "after commit":
        stop()
    with engine.connect() as connection:
        with wire.set(int(statement) if stage == "settling" else None, stop):
            eraser.finalize(connection, receipt)
        if stage == "before the second commit":
            stop()
        connection.commit()
    say("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
