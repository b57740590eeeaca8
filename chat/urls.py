from django.contrib.auth.views import LogoutView
from django.urls import path

from chat.views import accounts, agents, inspector, memory, messages

urlpatterns = [
    path("", agents.home, name="home"),
    path("enter/<int:user_id>/<str:token>/", accounts.enter, name="enter"),
    path("login/", accounts.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("sign-up/", accounts.sign_up, name="sign_up"),
    path("model/", messages.model_banner, name="model_banner"),
    # agents
    path("agents/", agents.agent_list, name="agent_list"),
    path("agents/new/", agents.agent_new, name="agent_new"),
    path("agents/<uuid:agent_id>/", agents.agent_page, name="agent"),
    path("agents/<uuid:agent_id>/rename/", agents.agent_rename, name="agent_rename"),
    path("agents/<uuid:agent_id>/delete/", agents.agent_delete, name="agent_delete"),
    # the conversation
    path("agents/<uuid:agent_id>/messages/", messages.message_send, name="message_send"),
    path("agents/<uuid:agent_id>/timeline/", messages.timeline_older, name="timeline_older"),
    path("agents/<uuid:agent_id>/stop/", messages.run_stop, name="run_stop"),
    path("runs/<int:run_id>/retry/", messages.run_retry, name="run_retry"),
    # the inspector
    path("agents/<uuid:agent_id>/inspector/<str:name>/", inspector.tab, name="tab"),
    path("agents/<uuid:agent_id>/gauge/", inspector.gauge, name="gauge"),
    path("agents/<uuid:agent_id>/prompt/", inspector.prompt, name="prompt"),
    path("agents/<uuid:agent_id>/flush/", inspector.flush, name="flush"),
    path("agents/<uuid:agent_id>/blocks/<int:block_id>/", memory.block, name="block"),
    path("agents/<uuid:agent_id>/blocks/<int:block_id>/edit/", memory.block_edit, name="block_edit"),
    path("agents/<uuid:agent_id>/passages/", memory.passage_add, name="passage_add"),
    path("agents/<uuid:agent_id>/documents/", memory.document_add, name="document_add"),
    path("agents/<uuid:agent_id>/documents/list/", memory.documents, name="documents"),
    path("passages/<int:passage_id>/delete/", memory.passage_delete, name="passage_delete"),
    path("documents/<int:document_id>/delete/", memory.document_delete, name="document_delete"),
    path("documents/<int:document_id>/retry/", memory.document_retry, name="document_retry"),
]
