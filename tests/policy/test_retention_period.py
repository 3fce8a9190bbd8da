"""Retention periods are calendar time."""

from datetime import date

import pytest

from efface.policy.retention_period import Period


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("P10Y", date(2026, 12, 31), date(2036, 12, 31)),
        ("P1Y", date(2024, 2, 29), date(2025, 2, 28)),
        ("P6M", date(2026, 8, 31), date(2027, 2, 28)),
        ("P1Y6M", date(2026, 12, 1), date(2028, 6, 1)),
        ("P2W", date(2026, 1, 1), date(2026, 1, 15)),
        ("P30D", date(2026, 1, 31), date(2026, 3, 2)),
    ],
)
def test_a_period_ends_on_a_calendar_day(text, start, end):
    assert Period.parse(text).after(start) == end


@pytest.mark.parametrize("text", ["", "P", "10Y", "P1H", "PT1H", "P-1Y", "P1Y ", "forever"])
def test_what_is_not_a_period_is_refused(text):
    with pytest.raises(ValueError, match="ISO 8601"):
        Period.parse(text)
