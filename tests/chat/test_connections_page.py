"""The dialogs of connections and of an agent's model: what each person sees of them."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from agents import services
from agents.llm.gateway import config_of
from agents.models import Agent, Connection, EmbeddingChoice
from agents.services import ConnectionDraft
from tests.chat.conftest import post

KEY = "sk-very-secret-0123456789"
URL = "https://models.example.org/v1"


@pytest.fixture
def shared(db: None) -> Connection:
    """For everybody, with two models and something wrong that only its operator should read."""
    offered = [{"name": "small"}, {"name": "large", "window": 9000}, {"name": "embedder", "embeds": True}]
    return Connection.objects.create(name="Ours", base_url=URL, offered=offered, error="the admin's error")


def shown(browser: Client, view: str, *ids: object, **query: str) -> str:
    answer = browser.get(reverse(view, args=ids), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_shared_connection_is_used_by_all_and_told_in_full_to_staff_alone(
    browser: Client, alice: User, shared: Connection
) -> None:
    dialog = shown(browser, "connections")
    assert "Ours" in dialog and URL not in dialog and "the admin&#x27;s error" not in dialog
    assert "Search by meaning" not in dialog and "Found on this machine" not in dialog
    assert browser.get(reverse("connection", args=[shared.pk])).status_code == 404
    alice.is_staff = True
    alice.save()
    dialog = shown(browser, "connections")
    assert URL in dialog and "the admin&#x27;s error" in dialog and "Search by meaning" in dialog
    assert URL in shown(browser, "connection", shared.pk)


def test_a_key_is_in_no_answer(browser: Client, alice: User) -> None:
    answer = post(browser, "connection_new", name="Mine", base_url=URL, key=KEY, headers=f"X-Other: {KEY}", timeout="9")
    row = Connection.objects.get()
    assert (row.owner, row.timeout, row.secrets != "") == (alice, 9, True)
    refused = post(browser, "connection_change", row.pk, name="Mine", base_url="nonsense", key=KEY, timeout="9")
    assert "This is no URL" in refused.content.decode()
    for text in (answer.content.decode(), refused.content.decode(), shown(browser, "connection", row.pk)):
        assert KEY not in text


def test_a_service_fills_the_form(browser: Client) -> None:
    form = shown(browser, "connections", service="Anthropic")
    assert 'value="https://api.anthropic.com/v1"' in form and "anthropic-version: 2023-06-01" in form
    assert 'value="Nobody"' not in shown(browser, "connections", service="Nobody")


def test_models_are_found_by_parts_of_their_names(browser: Client, agent: Agent, shared: Connection) -> None:
    everything = shown(browser, "models", agent.pk)
    assert "small" in everything and "large" in everything and "embedder" not in everything
    some = shown(browser, "models", agent.pk, q="lar our")
    assert f'value="{shared.pk}:large"' in some and f'value="{shared.pk}:small"' not in some
    assert f'value="{shared.pk}:unlisted-7b"' in shown(browser, "models", agent.pk, q="unlisted-7b")
    marked = shown(browser, "models", agent.pk, q="lar", chosen=f"{shared.pk}:large")
    assert f'value="{shared.pk}:large" checked' in marked and "checked" in everything


def test_a_model_is_chosen_with_what_is_wanted_of_it(browser: Client, agent: Agent, shared: Connection) -> None:
    fields = {"chosen": f"{shared.pk}:large", "context_window": "6000", "temperature": "0.5", "summary": "Ours/small"}
    assert post(browser, "agent_model", agent.pk, **fields).status_code == 204
    agent = Agent.objects.get()
    config = config_of(agent)
    assert (config.name, config.connection, config.context_window, config.temperature) == ("large", "Ours", 6000, 0.5)
    assert (agent.summary_connection, agent.summary_model) == (shared, "small")
    assert "Ours/small" in shown(browser, "agent_model", agent.pk) and "large" in shown(browser, "model_pill", agent.pk)
    assert post(browser, "agent_model", agent.pk, summary="").status_code == 204
    assert config_of(Agent.objects.get()).name == "large"  # nothing else was marked
    assert post(browser, "agent_model", agent.pk, chosen=":").status_code == 204
    assert config_of(Agent.objects.get()).connection == ""


@pytest.mark.parametrize("field", [{"context_window": "5"}, {"temperature": "9"}, {"reply_tokens": "x"}])
def test_what_cannot_be_is_said_in_the_dialog(browser: Client, agent: Agent, field: dict[str, str]) -> None:
    answer = post(browser, "agent_model", agent.pk, chosen=":", **field)
    assert answer.status_code == 200 and 'class="error"' in answer.content.decode()


def test_the_connection_of_another_cannot_be_chosen_or_tested(browser: Client, agent: Agent, bob: User) -> None:
    row = services.connection_add(person=bob, draft=ConnectionDraft("Bobs", URL))
    post(browser, "agent_model", agent.pk, chosen=f"{row.pk}:large")
    assert config_of(Agent.objects.get()).connection == ""
    assert browser.get(reverse("model_tested", args=[row.pk])).status_code == 404
    assert "not there any more" in post(browser, "agent_model", agent.pk, chosen=f"{row.pk}:large").content.decode()
    row.asked_at = None
    row.save()
    post(browser, "model_test", agent.pk, chosen=f"{row.pk}:large")
    assert Connection.objects.get().asked_at is None


def test_only_staff_choose_the_embedding_model(browser: Client, alice: User, shared: Connection) -> None:
    for view in ("embeddings_ask", "embeddings_change", "embeddings_stop"):
        assert browser.post(reverse(view), {"chosen": f"{shared.pk}:embedder"}).status_code == 403
    assert browser.get(reverse("embeddings")).status_code == 403
    alice.is_staff = True
    alice.save()
    part = post(browser, "embeddings_ask", chosen=f"{shared.pk}:embedder").content.decode()
    assert "memweb measures" in part and 'hx-trigger="every 1s"' in part
    assert EmbeddingChoice.objects.get().connection == shared
    EmbeddingChoice.objects.update(worked_at="2026-01-01T00:00Z")
    assert "What would a change take?" in shown(browser, "embeddings"), "its worker is no more"
    EmbeddingChoice.objects.update(name="embedder/8", total=1234, seconds=0.5)
    part = shown(browser, "embeddings")
    assert "1,234" in part and "about 10 min" in part and "every 1s" not in part


def test_a_new_agent_is_made_with_a_model_of_a_connection(browser: Client, shared: Connection) -> None:
    post(browser, "agent_new", name="Sam", model="Ours/large")
    assert config_of(Agent.objects.get()).connection == "Ours"
    assert "Ours/large" in shown(browser, "agent_new")
