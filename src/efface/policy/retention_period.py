"""Calculate with retention periods: ISO 8601 durations of years, months, weeks and days."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

# At least one part, and no time of day: a law counts in days or longer units.
_DURATION = re.compile(r"P(?=\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?")


@dataclass(frozen=True, slots=True)
class Period:
    """A length of calendar time; months and years are not multiples of days."""

    months: int
    days: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """Return the period in *text*, such as ``P10Y``, ``P6M`` or ``P30D``.

        Raises:
            ValueError: *text* is not an ISO 8601 duration of whole days or longer.
        """
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not an ISO 8601 duration such as 'P10Y' or 'P30D'")
        years, months, weeks, days = (int(group or 0) for group in match.groups())
        return cls(months=12 * years + months, days=7 * weeks + days)

    def after(self, start: date) -> date:
        """Return the last day of a period that begins on *start*.

        If the last month does not have that day, the period ends on its last day: 29 February
        plus one year is 28 February.
        """
        year, month = divmod(start.year * 12 + start.month - 1 + self.months, 12)
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        return date(year, month + 1, day) + timedelta(days=self.days)
