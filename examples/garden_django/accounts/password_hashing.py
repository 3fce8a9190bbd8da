"""How passwords are hashed: Argon2id with the parameters OWASP recommends for a web server."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2, which answers several logins at once without gigabytes of memory."""

    time_cost, memory_cost, parallelism = 2, 19456, 1
