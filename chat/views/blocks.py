"""Core memory blocks: cards, forms, history, sharing."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import reswap, retarget

from agents import selectors, services
from agents.access import owned_by
from agents.exceptions import InvalidInput, StaleEdit
from agents.main_context import working_context
from agents.models import Agent, Block, BlockRevision
from agents.text import diff
from chat.access import agent_for, part_for, person
from chat.answers import toast
from chat.forms import BlockForm
from chat.parameters import number

Context = dict[str, Any]


@require_GET
def block(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    """The card of one block; with `flash`, it draws the eye for a moment."""
    agent = agent_for(request, agent_id)
    return _card(request, agent, _block(agent, block_id), flash="flash" in request.GET)


def _card(request: HttpRequest, agent: Agent, subject: Block, *, flash: bool = False) -> HttpResponse:
    context = {"agent": agent, "card": selectors.block_card(agent, subject), "flash": flash}
    return render(request, "chat/_block.html", context)


@require_http_methods(["GET", "POST"])
def block_edit(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    """The form in the card's place. A rejected text stays in it, with the reason."""
    agent = agent_for(request, agent_id)
    subject = _block(agent, block_id)
    context = {"agent": agent, "block": subject, "value": subject.value, "revision": subject.revision}
    context["in_dialog"] = in_dialog = request.POST.get("in") == "dialog"
    if request.method == "GET":
        return render(request, "chat/_block_edit.html", context)
    context["value"] = value = request.POST.get("value", "").replace("\r\n", "\n")
    context["revision"] = revision = number(request.POST, "revision") or 0
    try:
        services.block_edit(block=subject, value=value, from_revision=revision, editor=person(request))
    except StaleEdit as error:
        return _both_texts(request, context, error)
    except InvalidInput as error:
        return render(request, "chat/_block_edit.html", context | {"error": str(error)})
    return HttpResponse(status=204) if in_dialog else _card(request, agent, subject)


def _both_texts(request: HttpRequest, context: Context, error: StaleEdit) -> HttpResponse:
    """The form again, with what the block says now beside what was to be written."""
    pieces = diff.words(context["value"], error.current_value)
    context |= {"error": str(error), "current": error.current_value, "pieces": pieces}
    return render(request, "chat/_block_edit.html", context | {"revision": error.current_revision})


@require_GET
def block_now(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    """For an open form whose block was changed by somebody: what it says now. The draft stays as it is."""
    subject = _block(agent_for(request, agent_id), block_id)
    since = number(request.GET, "since") or 0
    if subject.revision == since:
        return HttpResponse(status=204)
    before = subject.revisions.filter(number=since).first()
    last = subject.revisions.select_related("user", "agent").first()
    context = {"block": subject, "last": last, "pieces": diff.words(before.value if before else "", subject.value)}
    return render(request, "chat/_block_now.html", context)


@require_http_methods(["GET", "POST"])
def block_new(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    agent = agent_for(request, agent_id)
    form = BlockForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.block_attach_new(
                agent=agent, settings=form.settings(), value=form.cleaned_data["value"], editor=person(request)
            )
            return HttpResponse(status=204)
        except InvalidInput as error:
            form.add_error(None, str(error))
    return render(request, "chat/_block_new.html", {"agent": agent, "form": form})


@require_http_methods(["GET", "POST"])
def block_settings(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    """Label, description, limit, lock; and sharing with other agents, detaching, deleting."""
    agent = agent_for(request, agent_id)
    subject = _block(agent, block_id)
    form = BlockForm(request.POST or None, block=subject)
    if request.method == "POST" and form.is_valid():
        try:
            services.block_describe(block=subject, settings=form.settings())
            return HttpResponse(status=204)
        except InvalidInput as error:
            form.add_error(None, str(error))
    sharers = selectors.agents_of(person(request)).exclude(blocks=subject)
    context = {"agent": agent, "block": subject, "form": form, "sharers": sharers, "users": subject.agents.all()}
    return render(request, "chat/_block_settings.html", context)


@require_POST
def block_move(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    """One place up or down."""
    agent = agent_for(request, agent_id)
    subject = _block(agent, block_id)
    order = [one.pk for one in working_context.blocks_of(agent)]
    here = order.index(subject.pk)
    there = here + (-1 if request.POST.get("to") == "up" else 1)
    if 0 <= there < len(order):
        order[here], order[there] = order[there], order[here]
        services.blocks_order(agent=agent, block_ids=order)
    return HttpResponse(status=204)


@require_POST
def block_attach(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Attach one of the person's blocks, `block`, to this agent."""
    agent = agent_for(request, agent_id)
    chosen = number(request.POST, "block") or number(request.GET, "block")
    if chosen is None:
        return toast(_("Choose a block first."))
    return _share(request, part_for(request, Block, chosen), agent)


@require_POST
def block_share(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    """Attach this agent's block to another one, `with`."""
    subject = _block(agent_for(request, agent_id), block_id)
    other = selectors.agents_of(person(request)).filter(name=request.POST.get("with", "")).first()
    if other is None:
        return toast(_("Choose an agent first."))
    return _share(request, subject, other)


def _share(request: HttpRequest, subject: Block, agent: Agent) -> HttpResponse:
    try:
        services.block_share(block=subject, agent=agent)
    except InvalidInput as error:
        return toast(str(error))
    names = {"agent": agent.name, "block": subject.label}
    return toast(_("%(agent)s has “%(block)s” in view now.") % names)


@require_POST
def block_detach(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    agent = agent_for(request, agent_id)
    subject = _block(agent, block_id)
    services.block_detach(agent=agent, block=subject)
    names = {"agent": agent.name, "block": subject.label}
    undo = f"{reverse('block_attach', args=[agent.pk])}?block={subject.pk}"
    return toast(_("%(agent)s sees “%(block)s” no more. The block is kept.") % names, undo=undo)


@require_POST
def block_delete(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    services.block_delete(block=_block(agent_for(request, agent_id), block_id))
    return HttpResponse(status=204)


@require_GET
def block_history(request: HttpRequest, agent_id: UUID, block_id: int) -> HttpResponse:
    """Every revision with its difference from the one before; `old` and `new` compare any two."""
    agent = agent_for(request, agent_id)
    subject = _block(agent, block_id)
    history = selectors.revisions_page(subject, number(request.GET, "page") or 1)
    old, new = (subject.revisions.filter(number=number(request.GET, name) or 0).first() for name in ("old", "new"))
    compared = diff.words(old.value, new.value) if old and new else None
    context = {"agent": agent, "block": subject, "page": history.page, "rows": history.rows}
    compared_context = {"old": old, "new": new, "compared": compared}
    return render(request, "chat/_block_history.html", context | compared_context)


@require_POST
def revision_restore(request: HttpRequest, agent_id: UUID, revision_id: int) -> HttpResponse:
    """Bring back an old text. Its revision is numbered from what the page had, so nobody's edit is overwritten."""
    agent, revision = agent_for(request, agent_id), _revision(request, revision_id)
    if revision is None:
        return toast(_("That block was deleted, and its history with it."))
    from_revision = number(request.POST, "from") or 0
    try:
        services.block_restore(revision=revision, from_revision=from_revision, editor=person(request))
    except StaleEdit as error:
        return _to_form(request, agent, revision, error, revision.value)
    except InvalidInput as error:
        return toast(str(error))
    names = {"block": revision.block.label, "number": revision.number}
    return toast(_("“%(block)s” says again what #%(number)d said.") % names)


@require_POST
def revision_undo(request: HttpRequest, agent_id: UUID, revision_id: int) -> HttpResponse:
    """Take back one edit; if that would touch later ones, the form shows both texts."""
    agent, revision = agent_for(request, agent_id), _revision(request, revision_id)
    if revision is None:
        return toast(_("That block was deleted, and its history with it."))
    try:
        services.block_undo(revision=revision, editor=person(request))
    except StaleEdit as error:
        return _to_form(request, agent, revision, error, error.proposed or "")
    except InvalidInput as error:
        return toast(str(error))
    return toast(_("That edit of “%(block)s” was undone.") % {"block": revision.block.label})


def _to_form(request: HttpRequest, agent: Agent, revision: BlockRevision, error: StaleEdit, value: str) -> HttpResponse:
    context: Context = {"agent": agent, "block": revision.block, "value": value, "in_dialog": True}
    answer = _both_texts(request, context, error)
    return reswap(retarget(answer, "#dialog-body"), "innerHTML")


def _revision(request: HttpRequest, pk: int) -> BlockRevision | None:
    return owned_by(BlockRevision, person(request)).filter(pk=pk).select_related("block").first()


def _block(agent: Agent, block_id: int) -> Block:
    block = agent.blocks.filter(pk=block_id).first()
    if block is None:
        raise Http404
    return block
