"""Model servers that people have: programs on this machine with their usual ports, and services with their addresses.

The addresses are those that each publishes for its OpenAI-compatible API. What a server differs in is not here: it is
found out (`trial.py`), or read from its errors (`adapting.py`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A program that serves models on the machine it runs on."""

    name: str
    port: int

    @property
    def url(self) -> str:
        """Its base URL on this machine."""
        return f"http://127.0.0.1:{self.port}/v1"


@dataclass(frozen=True)
class Service:
    """A service in the internet. `headers` are those that it wants besides the key, one a line."""

    name: str
    url: str
    headers: str = ""


PROGRAMS = (
    Program("Ollama", 11434),
    Program("LM Studio", 1234),
    Program("llama.cpp", 8080),
    Program("vLLM", 8000),
    Program("Jan", 1337),
)
SERVICES = (
    Service("OpenAI", "https://api.openai.com/v1"),
    Service("Anthropic", "https://api.anthropic.com/v1", headers="anthropic-version: 2023-06-01"),
    Service("Google", "https://generativelanguage.googleapis.com/v1beta/openai"),
    Service("OpenRouter", "https://openrouter.ai/api/v1"),
    Service("Groq", "https://api.groq.com/openai/v1"),
    Service("Mistral", "https://api.mistral.ai/v1"),
    Service("DeepSeek", "https://api.deepseek.com/v1"),
    Service("Together", "https://api.together.xyz/v1"),
)
