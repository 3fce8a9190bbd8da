"""Ask the application whether a user has proved their identity, by password or recent login."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from efface.page.identity_proof import is_possible

CheckPassword = Callable[[Session, Any, str], bool]
HasPassword = Callable[[Session, Any], bool]
HasRecentLogin = Callable[[HTTPConnection], Any]


class Proofs:
    """Ask the application's functions about passwords and logins.

    Raises:
        TypeError: A function that takes a session is asynchronous.
        ValueError: Users without a password could never delete their account.
    """

    def __init__(
        self,
        check_password: CheckPassword,
        has_password: HasPassword | None = None,
        has_recent_login: HasRecentLogin | None = None,
    ) -> None:
        for name, function in (("check_password", check_password), ("has_password", has_password)):
            if inspect.iscoroutinefunction(function):
                raise TypeError(
                    f"{name} must be a plain function, because its session is synchronous."
                )
        if has_password is not None and has_recent_login is None:
            raise ValueError(
                "Without has_recent_login, users for whom has_password returns False cannot delete "
                "their account. Pass has_recent_login=..., too."
            )
        self._check_password = check_password
        self._has_password = has_password
        self._has_recent_login = has_recent_login

    @property
    def needs_a_loop(self) -> bool:
        """Tell whether the application answers asynchronously."""
        return inspect.iscoroutinefunction(self._has_recent_login)

    @property
    def is_usual(self) -> bool:
        """Tell whether all users have a password."""
        return self._has_password is None

    def has_password(self, session: Session, subject: Hashable) -> bool:
        """Tell whether the user has a password; only a plain False says no."""
        return self._has_password is None or self._has_password(session, subject) is not False

    def is_password(self, session: Session, subject: Hashable, password: object) -> bool:
        """Tell whether *password* is the current one."""
        if not is_possible(password):
            return False
        verdict: object = self._check_password(session, subject, password)
        # Only True counts, because a forgotten `await` returns something truthy.
        return verdict is True

    def is_recent_here(self, connection: HTTPConnection) -> bool:
        """Tell whether the login is recent, if the application answers synchronously."""
        return self._has_recent_login is not None and self._has_recent_login(connection) is True

    async def is_recent(self, connection: HTTPConnection) -> bool:
        """Tell whether the login is recent, asked again each time."""
        if self._has_recent_login is None:
            return False
        if inspect.iscoroutinefunction(self._has_recent_login):
            return (await self._has_recent_login(connection)) is True
        answer = await run_in_threadpool(self._has_recent_login, connection)
        if isinstance(answer, Awaitable):
            answer = await answer
        return answer is True
