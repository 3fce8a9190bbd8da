"""The settings of the town; the fixture says where its databases are."""

SECRET_KEY = "for tests alone, and long enough for them"
ALLOWED_HOSTS = ["testserver"]
USE_TZ = True
TIME_ZONE = "Europe/Prague"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.admin",
    "efface.django",
    "tests.support.django_projects.town.apps.TownConfig",
]
# Made from the models as they are: the town has no history.
MIGRATION_MODULES = dict.fromkeys(("admin", "auth", "contenttypes", "sessions", "town"))
AUTH_USER_MODEL = "town.Person"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    "postgresql": {"ENGINE": "django.db.backends.postgresql", "NAME": ""},
}
EFFACE = {
    "SECRET": "a key for the tests alone",
}
# A unique constraint that can wait is made on PostgreSQL alone.
SILENCED_SYSTEM_CHECKS = ["models.W038"]
ROOT_URLCONF = "tests.support.django_projects.town.urls"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]
STATIC_URL = "static/"
