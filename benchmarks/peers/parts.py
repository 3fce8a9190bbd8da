"""What is measured of which package, how large, and how the lines of it are called."""

from dataclasses import dataclass

EFFACE = "Efface"
ASSIST = "django-gdpr-assist"
SCRUBBER = "django-scrubber"
ANONYMIZER = "dj_anonymizer"
SAFEDELETE = "django-safedelete"

PARTS = {
    "one_person": (EFFACE, ASSIST),
    "everybody": (EFFACE, SCRUBBER, ANONYMIZER, ASSIST),
    "hiding": (EFFACE, SAFEDELETE),
}
"""Measures are modules of this package."""


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    closings: int
    """One person at a time, for each side."""
    people: int
    """Everybody."""
    batch: int
    sample: int
    """Of everybody, for a package that would take minutes."""
    rounds: int
    """Of everybody, for each side."""
    queries: int


WHOLE = Size(closings=300, people=10_000, batch=1000, sample=100, rounds=2, queries=2000)
SMALL = Size(closings=5, people=40, batch=20, sample=4, rounds=1, queries=10)
"""Enough to see that everything runs."""
