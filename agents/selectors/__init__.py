"""Everything that reads for a page, a terminal or the API, one file a subject. Writes are in `agents.services`."""

from agents.selectors.agents import agents_of, humans_for, personas_for
from agents.selectors.archives import (
    archives_of,
    archives_to_attach,
    documents_listed,
    documents_of,
    documents_without_files,
    filed_in,
    passages_of_kind,
)
from agents.selectors.blocks import (
    BlockCard,
    MemoryEdit,
    Revisions,
    block_card,
    block_cards,
    blocks_to_attach,
    edits_of,
    revisions_page,
)
from agents.selectors.connections import (
    choice_value,
    connections_of,
    default_model,
    may_reach_this_machine,
    model_handles,
    models_offered,
    servers_found,
)
from agents.selectors.context import (
    ContextView,
    Gauge,
    StepView,
    context_view,
    step_view,
    steps_of,
)
from agents.selectors.embeddings import embeddings_state, shared_connections
from agents.selectors.explaining import (
    Explanation,
    Figure,
    Storage,
    Why,
    call_explained,
    has_scores,
    search_explained,
    why_found,
)
from agents.selectors.functions import FunctionCard, broken_sources, calls_asked, function_cards, servers_of
from agents.selectors.local_models import local_models
from agents.selectors.runs import newest_prompts, running, runs_of
from agents.selectors.timeline import (
    CatchUp,
    evicted,
    last_turn,
    newest,
    timeline_after,
    timeline_around,
    timeline_before,
    timeline_between,
    timeline_from,
    timeline_message,
    timeline_whole,
    waiting,
    window_of,
)
from agents.selectors.two_factor import has_two_factor, recovery_codes_left, with_two_factor
