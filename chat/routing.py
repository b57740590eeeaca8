from django.urls import URLPattern, path

from chat.consumers import AgentConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("ws/agents/<uuid:agent_id>/", AgentConsumer.as_asgi()),
]
