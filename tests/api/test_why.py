"""Why a search finds what it finds, as programs are told: each score with the parts that add up to it."""

import asyncio
import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents import selectors, services
from agents.models import Agent
from agents.selectors import Storage
from tests.agents.external_context.test_why_found import filed, talked
from tests.api.doors import Answer, Request
from tests.conftest import make_agent

__all__ = ["filed", "talked"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)

QUERIES = ("what did Ann say about the harbour on 5 March", "我的钥匙在哪里", "wifi at the café")


def asked(person: User, agent: Agent, **query: Any) -> Answer:
    token = services.token_create(owner=person, name="a program")[1]
    asking = Request("GET", f"/v1/agents/agent-{agent.pk}/why", query)
    return asyncio.run(asking.answer(Authorization=f"Bearer {token}"))


@pytest.mark.parametrize("storage", ["recall", "archival"])
@pytest.mark.parametrize("query", QUERIES)
def test_each_score_comes_with_the_parts_that_make_it(filed: Agent, storage: Storage, query: str) -> None:
    ranked = selectors.search_explained(filed, storage, query)
    answer = asked(filed.owner, filed, query=query, storage=storage)
    told = json.loads(answer.text)
    assert answer.status == 200 and (told["query"], told["total"], told["page"]) == (query, 9, 1)
    assert told["text"] == ranked.text
    for results, why in ((told["results"], ranked.found), (told["below_cut"], ranked.below)):
        assert [found["text"] for found in results] == [each.text for each in why]
        assert [found["score"] for found in results] == [each.score for each in why]
        for found in results:
            assert found["score"] == pytest.approx(sum(part["contribution"] for part in found["parts"]), abs=1e-9)
    assert len(told["below_cut"]) == 3


def test_words_that_matched_and_figures_that_are_missing_are_told(filed: Agent) -> None:
    told = json.loads(asked(filed.owner, filed, query="what did Ann paint on 5 March").text)
    (painted,) = (found for found in told["results"] if "painted" in found["text"])
    parts = {part["name"]: part for part in painted["parts"]}
    assert {"word": "march", "beside": "day"} in parts["words"]["words"]
    assert {"word": "paint", "beside": ""} in parts["words"]["words"]
    assert parts["speaker"]["figure"] == 1.0 and parts["speaker"]["contribution"] > 0
    filed.messages.update(embedding=None, context_embedding=None, embedding_model="")
    told = json.loads(asked(filed.owner, filed, query="harbour").text)
    assert "by its words alone" in told["results"][0]["note"]
    assert {part["name"]: part["figure"] for part in told["results"][0]["parts"]}["embedding"] is None


def test_pages_follow_each_other(filed: Agent) -> None:
    first, second = (json.loads(asked(filed.owner, filed, query="harbour", page=page).text) for page in (1, 2))
    assert first["pages"] == 2 and len(second["results"]) == 4 and not second["below_cut"]
    assert [found["id"] for found in first["below_cut"]] == [found["id"] for found in second["results"]][:3]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": " "}, "Write what to look for."),
        ({"query": "x" * 2001}, "query"),
        ({"query": "x", "storage": "attic"}, "storage"),
        ({"query": "x", "page": 0}, "page"),
        ({"query": "x", "kind": "y"}, "kind"),
    ],
)
def test_what_cannot_be_asked_is_said(agent: Agent, query: dict[str, Any], said: str) -> None:
    answer = asked(agent.owner, agent, **query)
    assert answer.status == 422 and said in answer.text


def test_anothers_agent_is_not_there(filed: Agent, bob: User) -> None:
    answer = asked(bob, filed, query="harbour")
    assert answer.status == 404 and "harbour" not in answer.text
    assert json.loads(asked(bob, make_agent(bob, "Own"), query="harbour").text)["results"] == []
