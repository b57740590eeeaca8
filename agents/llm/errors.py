"""What goes wrong at an endpoint, in plain words with a way out."""

from math import ceil
from typing import TYPE_CHECKING

import httpx2
import openai
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.exceptions import ContextOverflow, LLMError
from agents.llm.problems import Kind, Problem, ServerSaid
from memweb.functions.public_hosts import NotPublic

if TYPE_CHECKING:
    from agents.llm.gateway import ModelConfig

# The client lets transport errors and broken JSON in the middle of a stream through as they are.
FAULTS = (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, NotPublic, ServerSaid, ValueError, OSError)


def explain(error: Exception, config: "ModelConfig") -> LLMError:
    """The client's or transport's error in plain words with a way out."""
    where = _where(config)
    if problem := problem_of(error):
        return of_problem(problem, config)
    if isinstance(error, NotPublic):
        sentence = _("%(where)s is in a private network, where only staff may connect models. Ask the operator.")
        return LLMError(sentence % where)
    kind = kind_of(error)
    if kind == "timeout":
        details = {**where, "seconds": f"{config.timeout:g}"}
        return LLMError(_("%(where)s gave no answer for %(seconds)s seconds.") % details, retryable=True)
    if kind == "unreachable":
        return LLMError(_advice("unreachable", config) % where, retryable=True)
    text = config.unsealed().hide(str(error))[:300] or type(error).__name__
    return LLMError(_("%(where)s failed while answering: %(text)s") % {**where, "text": text}, retryable=True)


def kind_of(error: Exception) -> str:
    """In a word or two: what the server said, "timeout", "unreachable" or "fault"."""
    if problem := problem_of(error):
        return problem.kind.name.lower()
    if isinstance(error, (openai.APITimeoutError, httpx2.TimeoutException)):
        return "timeout"
    return "unreachable" if isinstance(error, (openai.APIConnectionError, httpx2.ConnectError)) else "fault"


def problem_of(error: Exception) -> Problem | None:
    """What the server itself said; None for a fault of the transport."""
    if isinstance(error, ServerSaid):
        return error.problem
    if isinstance(error, openai.APIStatusError):
        headers = {name.lower(): value for name, value in error.response.headers.items()}
        return Problem.of(error.status_code, error.response.text, headers)
    return None


def of_problem(problem: Problem, config: "ModelConfig") -> LLMError:
    """What a server said, as an error: the server's own words are shown wherever it has any."""
    details = {**_where(config), "status": problem.status}
    kind = problem.kind
    if kind is Kind.OVERFLOW:
        sentence = _("%(where)s says the prompt is too long for %(model)s.") % details
        return ContextOverflow(_with_words(sentence, problem, config))
    if kind in (Kind.KEY, Kind.NO_MODEL, Kind.NO_ENDPOINT):
        sentence = _advice(kind.name.lower(), config)
    elif kind is Kind.CREDIT:
        sentence = _("%(where)s says that the credit or the quota is used up.")
    elif kind is Kind.RATE:
        return _wait(problem, config)
    elif kind is Kind.REFUSED:
        sentence = _("%(where)s refused to answer this.")
    else:
        sentence = _("%(where)s answered with an error %(status)s.")
    return LLMError(
        _with_words(sentence % details, problem, config), retryable=kind is Kind.FAULT and problem.status >= 500
    )


def _where(config: "ModelConfig") -> dict[str, str]:
    where = config.base_url or _("the OpenAI API")
    return {"where": where, "model": config.name, "connection": config.connection}


def _advice(kind: str, config: "ModelConfig") -> str:
    """What is wrong and where it is mended: in the page for a connection, else in the settings."""
    connected = {
        "key": _("%(where)s refused the key. Enter the right one under Connections, in “%(connection)s”."),
        "no_model": _(
            "%(where)s knows no model “%(model)s”. Choose another: press the model's name above the conversation."
        ),
        "no_endpoint": _(
            "%(where)s has no chat endpoint there. Check the URL of “%(connection)s” under Connections: with most "
            "servers it ends in /v1."
        ),
        "unreachable": _(
            "%(where)s cannot be reached. Is the server running, and is the URL of “%(connection)s” right?"
        ),
    }
    configured = {
        "key": _("%(where)s refused the key. Check OPENAI_API_KEY in .env and start memweb again."),
        "no_model": _("%(where)s knows no model “%(model)s”. Set MEMWEB_MODEL or the agent's model to one it has."),
        "no_endpoint": _(
            "%(where)s has no chat endpoint there. Check OPENAI_BASE_URL: with most servers it ends in /v1."
        ),
        "unreachable": _("%(where)s cannot be reached. Is the server running, and is OPENAI_BASE_URL right?"),
    }
    return (connected if config.connection else configured)[kind]


def refused(words: str, config: "ModelConfig") -> LLMError:
    """A model or its filter would not answer; `words` are the server's own, if it has any."""
    where = {**_where(config), "text": config.unsealed().hide(words.strip())[:500]}
    if where["text"]:
        return LLMError(_("%(model)s refused to answer: %(text)s") % where)
    return LLMError(_("A content filter at %(where)s held the answer back.") % where)


def empty(config: "ModelConfig") -> LLMError:
    """A server ended its answer before it began."""
    sentence = _("%(where)s sent an empty answer. Press Retry; if it stays so, see the server's log.")
    return LLMError(sentence % _where(config))


def _wait(problem: Problem, config: "ModelConfig") -> LLMError:
    sentence = _("%(where)s is refusing for now: the rate limit is reached.") % _where(config)
    if problem.seconds:
        seconds = ceil(problem.seconds)
        more = ngettext(
            "It may be asked again in %(seconds)d second.", "It may be asked again in %(seconds)d seconds.", seconds
        )
        sentence = f"{sentence} {more % {'seconds': seconds}}"
    return LLMError(_with_words(sentence, problem, config), retryable=True)


def _with_words(sentence: str, problem: Problem, config: "ModelConfig") -> str:
    words = config.unsealed().hide(problem.sentence)
    said = _("The server says: %(text)s") % {"text": words} if words else ""
    return f"{sentence} {said}".strip()
