"""Whether a model endpoint is there, without asking a model anything."""

from http import HTTPStatus

import httpx2

from agents.llm.gateway import OPENAI

PATIENCE = 3.0  # seconds
REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def fault_of(base_url: str | None, api_key: str) -> str:
    """What is wrong with it, in a sentence; empty if it answers. That it lists no models is no fault."""
    try:
        url = f"{(base_url or OPENAI).rstrip('/')}/models"
        answer = httpx2.get(url, headers={"Authorization": f"Bearer {api_key}"}, timeout=PATIENCE)
    except httpx2.TimeoutException:
        return f"The model's endpoint gives no answer within {PATIENCE:.0f} seconds."
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return f"The model's endpoint cannot be reached: {error}"
    if answer.status_code in REFUSED:
        return "The model's endpoint refuses the key."
    return f"The model's endpoint answers with {answer.status_code}." if answer.status_code >= 500 else ""
