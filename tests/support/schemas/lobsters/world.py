"""Who wrote, answered and voted: people as busy as the real ones, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random

from tests.support.schemas.lobsters.histograms import (
    COMMENTS_PER_STORY,
    VOTES_PER_COMMENT,
    VOTES_PER_MEMBER,
    VOTES_PER_STORY,
    Histogram,
)

FIRST = "amber brisk calm dusky eager fable glad hazel ivory jolly keen lucid mild noble opal plain"
SECOND = (
    "otter heron badger lynx marten finch beetle walrus gecko ibis panda raven shrew tapir vole"
)
MODERATORS = 8


@dataclass(frozen=True)
class Size:
    """How many of what; everything else follows from these three."""

    members: int
    stories: int
    comments: int

    def scaled(self, factor: float) -> Size:
        """Return this size times *factor*."""
        return Size(*(int(n * factor) for n in (self.members, self.stories, self.comments)))


FULL = Size(16_000, 120_000, 300_000)
SMALL = Size(120, 300, 900)


class World:
    """The site's people and threads. Keys count from one, so lists start with a blank."""

    def __init__(self, size: Size = SMALL, seed: int = 1) -> None:
        """Decide who did what."""
        self.size = size
        self.random = Random(seed)
        self.members = range(1, size.members + 1)
        self.stories = range(1, size.stories + 1)
        self.comments = range(1, size.comments + 1)
        self.names = ["", *map(_name, self.members)]
        self.emails = ["", *(f"{name}@mail{i % 7}.example" for i, name in enumerate(self.names))]
        self.emails.pop(1)
        activity = VOTES_PER_MEMBER.spread(size.members)
        self.random.shuffle(activity)
        self._weights = list(accumulate(count + 1 for count in activity))
        order = sorted(self.members, key=lambda m: (-activity[m - 1], m))
        self.heaviest = order[0]
        self.by_activity = order
        self.moderators = order[1 : MODERATORS + 1]
        # Every fiftieth wears a hat, beginning with the busiest: key of the hat by member.
        self.hats = {member: key for key, member in enumerate(order[::50], start=1)}
        self.story_authors = [0, *self.choose(size.stories)]
        self._discuss()
        self.story_voters = self._vote(VOTES_PER_STORY, size.stories)
        self.comment_voters = self._vote(VOTES_PER_COMMENT, size.comments)

    def choose(self, number: int) -> list[int]:
        """Return so many members, busy ones more often."""
        return self.random.choices(self.members, cum_weights=self._weights, k=number)

    def moderator(self, number: int) -> int:
        """Return one of the moderators, in turn."""
        return self.moderators[number % len(self.moderators)]

    def _discuss(self) -> None:
        size = self.size
        shape = COMMENTS_PER_STORY.spread(size.stories)
        self.random.shuffle(shape)
        stories = self.random.choices(
            self.stories, weights=[n + 0.1 for n in shape], k=size.comments
        )
        self.comment_stories = [0, *sorted(stories)]
        self.comment_authors = [0, *self.choose(size.comments)]
        self.parents = [0] * (size.comments + 1)
        self.threads = list(range(size.comments + 1))
        self.comment_counts = [0] * (size.stories + 1)
        for comment in self.comments:
            story = self.comment_stories[comment]
            self.comment_counts[story] += 1
            # Two of three answer what was said just before them.
            if comment % 3 and self.comment_stories[comment - 1] == story:
                self.parents[comment] = comment - 1
                self.threads[comment] = self.threads[comment - 1]

    def _vote(self, histogram: Histogram, number: int) -> list[tuple[int, ...]]:
        shape = histogram.spread(number)
        self.random.shuffle(shape)
        # Nobody votes twice for the same thing.
        return [(), *(tuple(dict.fromkeys(self.choose(count))) for count in shape)]


def _name(member: int) -> str:
    first, second = FIRST.split(), SECOND.split()
    return f"{first[member % len(first)]}{second[member // 7 % len(second)]}{member}"
