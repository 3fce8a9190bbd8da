"""HOST · How people prove that it is them who want to leave: a password, or a recent sign-in.

Nothing that others can know proves anything: no typed name, no address, no word.
"""

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
    """What the host knows about passwords and sign-ins.

    Raises:
        TypeError: A function that is given a session is asynchronous.
        ValueError: Accounts without a password could never be closed.
    """

    def __init__(
        self,
        check_password: CheckPassword,
        has_password: HasPassword | None = None,
        has_recent_login: HasRecentLogin | None = None,
    ) -> None:
        for name, function in (("check_password", check_password), ("has_password", has_password)):
            if inspect.iscoroutinefunction(function):
                raise TypeError(f"{name} must be a plain function: its session is synchronous.")
        if has_password is not None and has_recent_login is None:
            raise ValueError(
                "Without has_recent_login, nobody for whom has_password is False can leave."
            )
        self._check_password = check_password
        self._has_password = has_password
        self._has_recent_login = has_recent_login

    @property
    def needs_a_loop(self) -> bool:
        """Tell whether the host answers asynchronously."""
        return inspect.iscoroutinefunction(self._has_recent_login)

    @property
    def is_usual(self) -> bool:
        """Tell whether everybody has a password."""
        return self._has_password is None

    def has_password(self, session: Session, subject: Hashable) -> bool:
        """Tell whether the account has a password; only a plain False says that it has none."""
        return self._has_password is None or self._has_password(session, subject) is not False

    def is_password(self, session: Session, subject: Hashable, password: object) -> bool:
        """Tell whether *password* is the current one."""
        if not is_possible(password):
            return False
        verdict: object = self._check_password(session, subject, password)
        # True and nothing else: a forgotten `await` returns something truthy.
        return verdict is True

    def is_recent_here(self, connection: HTTPConnection) -> bool:
        """Tell whether the sign-in is recent, where the host answers at once."""
        return self._has_recent_login is not None and self._has_recent_login(connection) is True

    async def is_recent(self, connection: HTTPConnection) -> bool:
        """Tell whether the sign-in is recent, asked anew."""
        if self._has_recent_login is None:
            return False
        if inspect.iscoroutinefunction(self._has_recent_login):
            return (await self._has_recent_login(connection)) is True
        answer = await run_in_threadpool(self._has_recent_login, connection)
        if isinstance(answer, Awaitable):
            answer = await answer
        return answer is True
