"""The live sockets of pages that are open."""


def recheck_soon(user_id: int) -> None:
    pass


def tell_soon(user_id: int, picked: object) -> None:
    pass
