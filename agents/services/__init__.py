"""Everything that writes, called by pages, terminal, API and tasks alike. Reads are in `agents.selectors`."""

from agents.services.agent_copies import agent_copy
from agents.services.agent_files import AgentFile, agent_export
from agents.services.agent_imports import agent_import
from agents.services.agent_reading import is_agent_file
from agents.services.agent_writing import WrittenFile, agent_write
from agents.services.agents import (
    AWAY_HOURS,
    AgentDraft,
    agent_create,
    agent_delete,
    agent_describe,
    agent_greet,
    agent_instruct,
    agent_rename,
    agent_visit,
    function_ask_first,
    function_switch,
    functions_choose,
)
from agents.services.approvals import NOT_WAITING, call_approve, call_deny, calls_expire
from agents.services.archives import (
    archive_attach,
    archive_create,
    archive_delete,
    archive_describe,
    archive_detach,
    document_add,
    document_delete,
    document_retry,
    passage_add,
    passage_edit,
    passages_add,
    passages_bring_back,
    passages_retract,
)
from agents.services.blocks import (
    BlockSettings,
    block_attach_new,
    block_create,
    block_delete,
    block_describe,
    block_detach,
    block_edit,
    block_note,
    block_record_import,
    block_restore,
    block_share,
    block_undo,
    blocks_order,
)
from agents.services.checkpoints import checkpoint_create, checkpoint_delete, checkpoint_restore
from agents.services.connections import (
    LONGEST_CONNECTION_NAME,
    ConnectionDraft,
    connection_add,
    connection_change,
    connection_look,
    connection_remove,
    connection_test,
    connections_changed_by,
)
from agents.services.embeddings import (
    embeddings_ask,
    embeddings_change,
    embeddings_measure,
    embeddings_stop,
    embeddings_work,
)
from agents.services.function_servers import (
    LONGEST_SERVER_NAME,
    ServerDraft,
    may_change,
    server_add,
    server_change,
    server_look,
    server_remove,
)
from agents.services.imports import Bringing, Imported, agents_import
from agents.services.letta_writing import letta_export
from agents.services.local_models import local_model_wish
from agents.services.messages import (
    LONGEST_MESSAGE,
    alert_send,
    heartbeat_send,
    message_send,
    message_withdraw,
    queue_flush,
)
from agents.services.model_choice import LONGEST_MODEL, ModelChoice, agent_choose_model, check_model, model_named
from agents.services.pictures import pictures_keep
from agents.services.preferences import zone_set, zone_told
from agents.services.rewriting import reply_rewrite, thought_rewrite
from agents.services.runs import run_cancel, run_next, runs_cancel
from agents.services.tokens import LONGEST_TOKEN_NAME, token_create, token_of_this_machine, token_revoke, token_use
from agents.services.turns import (
    Choices,
    Hand,
    Keep,
    PutBack,
    messages_pop,
    messages_reset,
    run_retry,
    turn_delete,
    turn_edit,
    turn_retract,
    turn_retry,
)
from agents.services.two_factor import (
    two_factor_begin,
    two_factor_check,
    two_factor_confirm,
    two_factor_remove,
    two_factor_renew,
)
