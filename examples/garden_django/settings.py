"""The settings of the garden on Django, from the environment; README lists what it reads."""

from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url

from garden.accounts.token_secrets import REMEMBER_ME
from garden.site_settings import Settings

GARDEN = Settings.from_environment()
OF_THE_GARDEN = Path(__file__).parents[1] / "garden"
_url = make_url(GARDEN.database_url)

DEBUG = False
SECRET_KEY = GARDEN.secret
# If GARDEN_URL isn't set, any host name is accepted, and links in emails use it.
ALLOWED_HOSTS = [urlsplit(GARDEN.url).hostname] if GARDEN.url else ["*"]
USE_TZ, TIME_ZONE = True, "UTC"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
APPEND_SLASH = False
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    # Before Efface, whose pages it dresses.
    "garden_django",
    "efface.django",
]
MIDDLEWARE = [
    # In place of SecurityMiddleware and XFrameOptionsMiddleware: what those say, and more.
    "garden_django.middleware.security_headers",
    "garden_django.middleware.background_tasks_after_the_answer",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "garden_django.middleware.forms",
    "django.middleware.csrf.CsrfViewMiddleware",
    # In place of Django's AuthenticationMiddleware: here a row in the database is the truth.
    "garden_django.accounts.sessions.find_login_of_request",
    "django.contrib.messages.middleware.MessageMiddleware",
    "garden_django.middleware.error_pages",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [OF_THE_GARDEN / "templates"],
        "OPTIONS": {
            "environment": "garden_django.web.environment",
            "context_processors": ["garden_django.web.of_every_page"],
        },
    },
    # The pages of Efface, and what they look like here.
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    },
]
ROOT_URLCONF = "garden_django.urls"
ASGI_APPLICATION = "garden_django.asgi.application"

AUTH_USER_MODEL = "garden_django.User"
AUTHENTICATION_BACKENDS = ["garden_django.accounts.authentication_backend.ByEmail"]
# An index over the address in lower case keeps it unique; Django looks for another constraint.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
PASSWORD_HASHERS = ["garden_django.accounts.password_hashing.Argon2"]
LOGIN_URL = "/users/log_in"

# A cookie holds the session, the secret of the forms among it: what ends the one ends the other.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_COOKIE_NAME = "session"
SESSION_COOKIE_SECURE = not GARDEN.dev
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
CSRF_USE_SESSIONS = True
CSRF_HEADER_NAME = "HTTP_X_CSRF_TOKEN"
CSRF_FAILURE_VIEW = "efface.django.csrf.csrf_failure"

if _url.get_backend_name() == "sqlite":
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": _url.database,
            "OPTIONS": {
                # A writer waits for the other one, instead of failing in the middle.
                "transaction_mode": "IMMEDIATE",
                "timeout": 5,
                "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
            },
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
            "OPTIONS": dict(_url.query),
        }
    }

EFFACE = {
    "SECRET": GARDEN.efface_secret,
    "CLOCK": "garden_django.app_state.now",
    "BLOCKERS": "garden_django.groups.blockers",
    "LABELS": "garden.account_closing.labels_in",
    "IDENTIFY": "garden_django.account_closing.identify",
    "CHECK_PASSWORD": "garden_django.account_closing.check_password",
    "HAS_RECENT_LOGIN": "garden_django.account_closing.has_recent_login",
    "CONFIRMATION_EMAIL": "garden_django.account_closing.confirmation_email",
    "LIVE": "garden_django.live.live",
    "LOGOUT_PATH": "/users/log_out",
    "REDIRECT_PATH": "/",
    "CLEAR_COOKIES": [REMEMBER_ME],
}

# Paths hold the secrets of links, and none of them belongs into a log.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"without_secrets": {"()": "garden.access_log.WithoutSecrets"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "loggers": {
        "django": {"handlers": ["console"]},
        "django.request": {"filters": ["without_secrets"]},
        "django.security.csrf": {"filters": ["without_secrets"]},
        "uvicorn.access": {"filters": ["without_secrets"]},
    },
}
