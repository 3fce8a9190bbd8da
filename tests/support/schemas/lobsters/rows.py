"""The rows of every table, as tuples in the order of its columns, parents before children.

People sign what they write, and are named by whoever writes to them or moderates them. Nobody is
named in a text that no link leads to: finding those takes a scan, and no link can ask for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from tests.support.schemas.lobsters.world import World

Rows = Iterable[tuple[Any, ...]]
TAGS = 60
CATEGORIES = 6
# One story in five gets the first tag, as in the published benchmark.
FAVORITE = 5

_START = datetime(2016, 1, 1)  # noqa: DTZ001 - upstream keeps no time zone
_TIMES = [str(_START + timedelta(hours=5 * i, seconds=7 * i)) for i in range(4000)]
_SENTENCES = (
    "The benchmark leaves out the time to warm the cache.",
    "I would rather read the paper than the summary of it.",
    "This has been the default since the last release, for better or worse.",
    "We moved to it two years ago and have not looked back.",
    "There is a longer discussion of this in the mailing list archive.",
    "The second half is about schedulers and worth the time.",
    "It compiles in a minute here, and most of that is the linker.",
    "A type checker would have caught this one.",
    "The license changed, which the title does not say.",
    "Somebody should write this up properly.",
    "Works on the small machines as well, if a little slower.",
)
_TEXTS = [
    " ".join(_SENTENCES[(i * 7 + j * (1 + i % 5)) % len(_SENTENCES)] for j in range(1 + i % 4))
    for i in range(220)
]


def tables(world: World) -> Iterator[tuple[str, Rows]]:
    """Yield the name and the rows of each table."""
    for name, rows in _TABLES.items():
        yield name, rows(world)


def text(number: int) -> str:
    """Return a paragraph."""
    return _TEXTS[number % len(_TEXTS)]


def at(number: int, of: int) -> str:
    """Return a moment, later for greater numbers."""
    return _TIMES[number * (len(_TIMES) - 1) // max(of, 1)]


def _users(world: World) -> Rows:
    size = world.size.members
    for m in world.members:
        name = world.names[m]
        banned = m % 97 == 0 and m not in world.moderators
        moderator = world.moderator(m)
        yield (
            m, name, world.emails[m], f"$2a$10${m:053}", at(m, size), False, None,
            f"session{m:050}", f"I am {name}. {text(m)}", m // 2 or None, m in world.moderators,
            m % 9 == 0, f"rss{m:060}", f"mail{m:060}", m % 3, 3 * m % 500,
            at(m, size) if banned else None, moderator if banned else None,
            f"spam by {name}" if banned else None, None, at(size, size), None, None, None,
            f'{{"homepage":"https://{name}.example/","twitter":"{name}"}}' if m % 2 else None,
        )  # fmt: skip


def _categories(_: World) -> Rows:
    return ((i, f"category {i}", at(0, 1), at(0, 1)) for i in range(1, CATEGORIES + 1))


def _domains(world: World) -> Rows:
    for d in range(1, _domain_count(world) + 1):
        moderator = world.moderator(d)
        banned = d % 12 == 0
        yield (
            d, f"site{d}.example", d % 40 == 0, at(0, 1), at(0, 1), at(1, 2) if banned else None,
            moderator if banned else None,
            f"spam, {world.names[moderator]} says" if banned else None,
        )  # fmt: skip


def _domain_count(world: World) -> int:
    return 1 + world.size.stories // 30


def _tags(_: World) -> Rows:
    for t in range(1, TAGS + 1):
        yield t, f"tag{t}", f"about {t}", False, t % 7 == 0, True, 0.0, True, 1 + t % CATEGORIES


def _hats(world: World) -> Rows:
    for member, hat in world.hats.items():
        name = world.names[member]
        yield (
            hat, at(hat, len(world.hats)), at(1, 1), member, world.moderator(hat),
            f"{name} of Example Works", f"https://works.example/{name}", False, None,
        )  # fmt: skip


def _hat_requests(world: World) -> Rows:
    for member, hat in world.hats.items():
        name = world.names[member]
        yield (
            hat, at(0, 1), at(0, 1), member, f"{name} of Example Works",
            f"https://works.example/{name}", f"I am {world.emails[member]} there.",
        )  # fmt: skip


def _stories(world: World) -> Rows:
    size, domains = world.size.stories, _domain_count(world)
    for s in world.stories:
        name = world.names[world.story_authors[s]]
        voters = len(world.story_voters[s])
        signed = s % 4 == 0
        words = f"{text(s)} {name}" if signed else text(s)
        yield (
            s, at(s, size), world.story_authors[s],
            f"https://site{1 + s % domains}.example/{name if signed else s}",
            f"{text(s)[:110]} {s}", words, _short(s), False, 1 + voters - 2 * _down(voters),
            _down(voters), False, s / 7, f"<p>{words}</p>", world.comment_counts[s],
            s - 1 if s % 200 == 0 else None, None, str(10**9 + s) if s % 10 == 0 else None,
            signed, True, 1 + s % domains,
        )  # fmt: skip


def _story_texts(world: World) -> Rows:
    size = world.size.stories
    for s in world.stories:
        name = world.names[world.story_authors[s]]
        yield s, f"{text(s + 1)} by {name}" if s % 4 == 0 else text(s + 1), at(s, size)


def _comments(world: World) -> Rows:
    size = world.size.comments
    for c in world.comments:
        author, parent = world.comment_authors[c], world.parents[c]
        words = f"{text(c + 5)} Write to {world.emails[author]}" if c % 11 == 0 else text(c + 5)
        voters = len(world.comment_voters[c])
        yield (
            c, at(c, size), None, _short(c), world.comment_stories[c], author, parent or None,
            world.threads[c], words, 1 + voters - 2 * _down(voters), _down(voters), 1 / (1 + c),
            f"<p>{words}</p>", False, False, False,
            world.hats.get(author) if c % 3 == 0 else None,
        )  # fmt: skip


def _votes(world: World) -> Rows:
    key = 0
    for s in world.stories:
        down = _down(len(world.story_voters[s]))
        for number, member in enumerate(world.story_voters[s]):
            key += 1
            yield key, member, s, None, *_vote(number < down), _TIMES[s % 4000]
    for c in world.comments:
        story, down = world.comment_stories[c], _down(len(world.comment_voters[c]))
        for number, member in enumerate(world.comment_voters[c]):
            key += 1
            yield key, member, story, c, *_vote(number < down), _TIMES[c % 4000]


def _down(voters: int) -> int:
    return voters // 25


def _vote(down: bool) -> tuple[int, str | None]:
    return (-1, "S") if down else (1, None)


def _messages(world: World) -> Rows:
    # Every other comment comes with a letter to whoever submitted the story.
    for c in world.comments[::2]:
        author, recipient = (
            world.comment_authors[c], world.story_authors[world.comment_stories[c]],
        )  # fmt: skip
        if author != recipient:
            yield (
                c, at(c, world.size.comments), author, recipient, c % 3 == 0,
                f"to {world.names[recipient]}" if c % 4 == 0 else "your story",
                f"Hello {world.names[recipient]}, {text(c)} Yours, {world.names[author]}",
                _short(c), False, False, world.hats.get(author) if c % 9 == 0 else None,
            )  # fmt: skip


def _moderations(world: World) -> Rows:
    for s in world.stories[::50]:
        moderator, author = world.moderator(s), world.story_authors[s]
        yield (
            s, at(s, world.size.stories), at(1, 1), moderator, s, None, author, "changed title",
            f"{world.names[author]} asked {world.names[moderator]} to", False, None, None,
        )  # fmt: skip


def _mod_notes(world: World) -> Rows:
    for key, member in enumerate(world.by_activity[::40], start=1):
        moderator = world.moderator(key)
        note = f"{world.names[member]} again. {world.names[moderator]}"
        yield key, moderator, member, note, f"<p>{note}</p>", at(1, 2)


def _hidden(world: World) -> Rows:
    return ((key, *pair) for key, pair in _pairs(world, 2))


def _saved(world: World) -> Rows:
    return ((key, at(0, 1), at(0, 1), *pair) for key, pair in _pairs(world, 4))


def _pairs(world: World, one_in: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield keys and different pairs of a member and a story."""
    number = world.size.stories // one_in
    stories = world.random.choices(world.stories, k=number)
    yield from enumerate(dict.fromkeys(zip(world.choose(number), stories, strict=True)), start=1)


def _ribbons(world: World) -> Rows:
    pairs = zip(world.comment_authors[1::2], world.comment_stories[1::2], strict=True)
    for key, pair in enumerate(dict.fromkeys(pairs), start=1):
        yield key, True, at(0, 1), at(1, 1), *pair


def _taggings(world: World) -> Rows:
    for s in world.stories:
        yield 2 * s, s, 1 if s % FAVORITE == 0 else 2 + s % (TAGS // 2)
        if s % 2:
            yield 2 * s + 1, s, 2 + TAGS // 2 + s % (TAGS // 2 - 2)


def _tag_filters(world: World) -> Rows:
    for m in world.members:
        yield m, at(0, 1), at(0, 1), m, 1 + m % TAGS


def _suggested_taggings(world: World) -> Rows:
    for s, member in zip(world.stories[::60], world.choose(len(world.stories[::60])), strict=True):
        yield s, s, 1 + s % TAGS, member


def _suggested_titles(world: World) -> Rows:
    for s, member in zip(world.stories[::60], world.choose(len(world.stories[::60])), strict=True):
        yield s, s, member, f"A better title, {world.names[member]} thinks"


def _invitations(world: World) -> Rows:
    size = world.size.members
    for m in world.members[1:]:
        yield (
            m, m // 2, world.emails[m], f"code{m}", at(m, size), at(m, size),
            f"{world.names[m]} is a colleague of {world.names[m // 2]}", at(m, size), m,
        )  # fmt: skip
        if m % 10 == 0:
            yield (
                size + m, m, f"friend{m}@elsewhere.example", f"open{m}", at(m, size), at(m, size),
                f"from {world.names[m]}", None, None,
            )  # fmt: skip


def _invitation_requests(world: World) -> Rows:
    for key, m in enumerate(world.by_activity[::15], start=1):
        name = world.names[m]
        yield (
            key, f"ask{m}", True, world.emails[m], name, f"I am {name}", f"192.0.2.{m % 250}",
            at(0, 1), at(0, 1),
        )  # fmt: skip


def _keystores(world: World) -> Rows:
    yield "thread_id", world.size.comments
    for m in world.members:
        yield f"user:{m}:stories_submitted", m % 40
        yield f"user:{m}:comments_posted", m % 90


def _short(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    letters = ""
    for _ in range(6):
        number, rest = divmod(number, len(digits))
        letters = digits[rest] + letters
    return letters


_TABLES: dict[str, Callable[[World], Rows]] = {
    "users": _users,
    "categories": _categories,
    "domains": _domains,
    "tags": _tags,
    "hats": _hats,
    "hat_requests": _hat_requests,
    "stories": _stories,
    "story_texts": _story_texts,
    "comments": _comments,
    "votes": _votes,
    "messages": _messages,
    "moderations": _moderations,
    "mod_notes": _mod_notes,
    "hidden_stories": _hidden,
    "saved_stories": _saved,
    "read_ribbons": _ribbons,
    "taggings": _taggings,
    "tag_filters": _tag_filters,
    "suggested_taggings": _suggested_taggings,
    "suggested_titles": _suggested_titles,
    "invitations": _invitations,
    "invitation_requests": _invitation_requests,
    "keystores": _keystores,
}
