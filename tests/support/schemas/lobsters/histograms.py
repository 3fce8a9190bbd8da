"""How busy the real site is: its public aggregate statistics of 12 March 2018, in bins.

Each entry is ``bin:how many``, or the bin alone where it holds one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Histogram:
    """A distribution of counts, in bins of equal width."""

    width: int
    bins: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, width: int, text: str) -> Histogram:
        """Return the histogram that *text* writes down."""
        pairs = (entry.partition(":") for entry in text.split())
        return cls(width, tuple((int(bin_), int(many or 1)) for bin_, _, many in pairs))

    def spread(self, number: int) -> list[int]:
        """Return *number* counts of this shape, from the least to the greatest.

        Inside a bin they lie evenly; no chance is involved, so the greatest is always there.
        """
        total = sum(many for _, many in self.bins)
        counts, below, at = [], 0, 0
        for i in range(number):
            position = (i + 0.5) * total / number
            while position > below + self.bins[at][1]:
                below += self.bins[at][1]
                at += 1
            start, many = self.bins[at]
            counts.append(int(self.width * (start + (position - below) / many)))
        return counts


VOTES_PER_MEMBER = Histogram.read(
    100,
    "0:4439 1:562 2:206 3:131 4:92 5:45 6:28 7:31 8:29 9:32 10:14 11:23 12:18 13:18 14:13 15:10 "
    "16:3 17:7 18:8 19:6 20:3 21:3 22:4 23:6 24:4 25:2 26:3 27:2 28:2 29:3 30:2 31:3 32:2 33:2 34 "
    "36 38 39 40 41:3 42 43:6 44 45:2 46 48 50 51 54 55 58:2 59 60 64:2 68 71 77 84 87 89 101 109 "
    "135 145 151",
)
VOTES_PER_STORY = Histogram.read(
    10,
    "0:16724 1:16393 2:4601 3:1707 4:680 5:281 6:128 7:60 8:35 9:16 10:4 11:4 12:10 13 14:2 16 21 "
    "25 29",
)
VOTES_PER_COMMENT = Histogram.read(
    10, "0:89907 1:27614 2:2825 3:637 4:177 5:61 6:29 7:6 8:5 9:5 10:3 15"
)
COMMENTS_PER_STORY = Histogram.read(
    10,
    "0:33974 1:4831 2:1029 3:401 4:193 5:103 6:50 7:24 8:18 9:10 10:5 11 12:5 13:2 14 15:2 17",
)
