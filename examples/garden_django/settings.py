"""The settings of the garden on Django, from the environment.

GARDEN_SECRET, or GARDEN_DEV=1 on your own machine; GARDEN_DATABASE_URL; GARDEN_URL where the site
is public.
"""

import os
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url

from garden.settings import Settings

GARDEN = Settings.from_environment()
HERE = Path(__file__).parent
_url = make_url(GARDEN.database_url)

DEBUG = False
DEV = GARDEN.dev
SECRET_KEY = GARDEN.secret
ALLOWED_HOSTS = [urlsplit(GARDEN.url).hostname] if GARDEN.url else ["127.0.0.1", "localhost"]
USE_TZ, TIME_ZONE = True, "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "efface.django",
    "garden_django",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "garden_django.web.csrf_token_of_the_garden",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "garden_django.urls"
AUTH_USER_MODEL = "garden_django.User"
LOGIN_URL, APPEND_SLASH = "/users/log_in", False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
PASSWORD_RESET_TIMEOUT = 3600
# Rows with a reference to the member, so that they go in the closing itself.
SESSION_ENGINE = "garden_django.sessions"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = GARDEN.url.startswith("https://")
CSRF_HEADER_NAME = "HTTP_X_CSRF_TOKEN"
DEFAULT_FROM_EMAIL = "garden@example.org"
EMAIL_BACKEND = f"django.core.mail.backends.{'locmem' if DEV else 'smtp'}.EmailBackend"

if _url.get_backend_name() == "sqlite":
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": _url.database,
            # A writer waits for the other one, instead of failing in the middle.
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _url.database,
            "USER": _url.username or "",
            "PASSWORD": _url.password or "",
            "HOST": _url.host or "",
            "PORT": str(_url.port or ""),
        }
    }

EFFACE = {
    "KEY": sha256(b"efface " + SECRET_KEY.encode()).digest(),
    "BLOCKERS": "garden_django.leaving.blockers",
    "WORDS": "garden_django.leaving.words",
    "REDIRECT_URL": "/",
}
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "garden_django.settings")
