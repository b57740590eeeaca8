"""What goes wrong at an endpoint, in plain words with a way out."""

from typing import TYPE_CHECKING

import httpx2
import openai
from django.utils.translation import gettext as _

from agents.exceptions import ContextOverflow, LLMError

if TYPE_CHECKING:
    from agents.llm.gateway import ModelConfig

# The client lets transport errors and broken JSON in the middle of a stream through as they are.
FAULTS = (openai.OpenAIError, httpx2.HTTPError, ValueError, OSError)

OVERFLOW_WORDS = (
    "context_length",
    "context length",
    "context size",
    "maximum context",
    "too many tokens",
    "context window",
)


def explain(error: Exception, config: "ModelConfig") -> LLMError:
    """The client's or transport's error in plain words with a way out."""
    where = {"where": config.base_url or _("the OpenAI API"), "model": config.name}
    text = {**where, "text": str(error)[:300]}
    if isinstance(error, (openai.APITimeoutError, httpx2.TimeoutException)):
        details = {**where, "seconds": f"{config.timeout:g}"}
        return LLMError(_("%(where)s gave no answer for %(seconds)s seconds.") % details, retryable=True)
    if isinstance(error, openai.APIConnectionError):
        sentence = _("%(where)s cannot be reached. Is the server running, and is OPENAI_BASE_URL right?")
        return LLMError(sentence % where, retryable=True)
    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        return LLMError(_("%(where)s refused the key. Check OPENAI_API_KEY in .env and start memweb again.") % where)
    if isinstance(error, openai.NotFoundError):
        sentence = _("%(where)s knows no model “%(model)s”. Set MEMWEB_MODEL or the agent's model to one it has.")
        return LLMError(sentence % where)
    if isinstance(error, openai.RateLimitError):
        sentence = _("%(where)s is refusing for now: the rate limit or the credit is used up.")
        return LLMError(sentence % where, retryable=True)
    if isinstance(error, openai.APIError) and any(word in str(error).lower() for word in OVERFLOW_WORDS):
        return ContextOverflow(_("%(where)s says the prompt is too long for %(model)s.") % where)
    if isinstance(error, openai.APIStatusError):
        sentence = _("%(where)s answered with an error %(status)s: %(text)s")
        return LLMError(sentence % {**text, "status": error.status_code}, retryable=True)
    return LLMError(_("%(where)s failed while answering: %(text)s") % text, retryable=True)
