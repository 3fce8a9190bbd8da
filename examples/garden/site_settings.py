"""The site's settings, and how it reads them from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256


class MissingSecretError(Exception):
    """The site has no secret, and without one it cannot sign its cookies."""


class UnknownProfileError(ValueError):
    """There is no such way to log in."""


# With "password" one joins with a password; with "magic" a link by email logs in, and a password
# may be set later.
PROFILES = ("password", "magic")


@dataclass(frozen=True)
class Limit:
    """How often something may be tried in a quarter of an hour."""

    client: int
    account: int


@dataclass(frozen=True)
class Limits:
    """What is limited: by the client that tries, and by the account it is tried with."""

    login: Limit = Limit(client=100, account=20)
    mail: Limit = Limit(client=30, account=5)
    registration: Limit = Limit(client=30, account=5)
    password: Limit = Limit(client=100, account=10)


@dataclass(frozen=True)
class Settings:
    """The address of the database, the secret, and whether this is a developer's machine.

    `url` is where the site is to be found, for links in emails. Without it they lead to the host
    in the request, which anyone can choose. So set it if the site is public.
    `redis_url` is what several workers have in common; one alone needs none. `limits` says how
    often what others could guess or send may be tried.
    """

    database_url: str
    secret: str = field(repr=False)
    dev: bool = False
    url: str = ""
    profile: str = "password"
    limits: Limits = field(default_factory=Limits)
    redis_url: str = field(default="", repr=False)  # it may hold a password

    def __post_init__(self) -> None:
        """Refuse a profile that does not exist."""
        if self.profile not in PROFILES:
            raise UnknownProfileError(f"GARDEN_PROFILE is one of: {', '.join(PROFILES)}.")

    @property
    def efface_secret(self) -> bytes:
        """Return the key behind Efface's fingerprints, derived so that it signs no cookies."""
        return sha256(b"efface " + self.secret.encode()).digest()

    @property
    def limits_secret(self) -> bytes:
        """Return the key under which tries are counted."""
        return sha256(b"limits " + self.secret.encode()).digest()

    @property
    def live_secret(self) -> bytes:
        """Return the key under which workers tell each other what concerns open pages."""
        return sha256(b"live " + self.secret.encode()).digest()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read what the README lists: `GARDEN_DATABASE_URL` and the others.

        Raises:
            MissingSecretError: neither `GARDEN_SECRET` nor `GARDEN_DEV=1` is set.
        """
        dev = environment.get("GARDEN_DEV") == "1"
        secret = environment.get("GARDEN_SECRET") or ("for development only" if dev else "")
        if not secret:
            raise MissingSecretError(
                "GARDEN_SECRET is not set, so the site cannot sign its cookies.\n"
                "Set it to a long random text, or set GARDEN_DEV=1 on your own machine."
            )
        return cls(
            database_url=environment.get("GARDEN_DATABASE_URL", "sqlite:///garden.db"),
            secret=secret,
            dev=dev,
            url=environment.get("GARDEN_URL", "").rstrip("/"),
            profile=environment.get("GARDEN_PROFILE") or "password",
            redis_url=environment.get("GARDEN_REDIS_URL", ""),
        )
