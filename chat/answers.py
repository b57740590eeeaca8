"""Answers that are no page: a toast, and the question that is asked when a person edited memory since a turn."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.http import reswap, retarget, trigger_client_event

from agents.exceptions import Conflict, InvalidInput, RollbackConflict
from agents.services import Hand, Keep, PutBack
from agents.text import diff
from chat.access import person
from chat.parameters import number, numbers

CHOICE = "block-"  # and the block's id: "keep", or the revision that may be overwritten


def toast(text: str, *, undo: str = "", answer: HttpResponse | None = None) -> HttpResponse:
    """Shown for some seconds by `chrome.js`; `undo` is an address that takes back what was done."""
    return trigger_client_event(answer or HttpResponse(status=204), "memweb:toast", {"text": text, "undo": undo})


def hand_of(request: HttpRequest) -> Hand:
    """The person, with what they chose in the dialog of `asking_about_memory`."""
    choices: dict[int, Keep | PutBack] = {}
    for name in request.POST:
        for block in numbers([name.removeprefix(CHOICE)] if name.startswith(CHOICE) else []):
            revision = number(request.POST, name)
            choices[block] = Keep() if revision is None else PutBack(revision)
    return Hand(person(request), choices=choices)


def asking_about_memory(request: HttpRequest, act: Callable[[Hand], HttpResponse]) -> HttpResponse:
    """What `act` answers; or, if somebody edited a block since, a dialog that asks and then posts the same again."""
    hand = hand_of(request)
    try:
        return act(hand)
    except RollbackConflict as error:
        fields = [(name, value) for name, value in request.POST.items() if not name.startswith(CHOICE)]
        context = {
            "action": request.path,
            "fields": fields,
            "conflicts": [(conflict, _difference(conflict)) for conflict in error.conflicts],
        }
        answer = render(request, "chat/_conflict.html", context)
        answer = reswap(retarget(answer, "#dialog-body"), "innerHTML")
        return trigger_client_event(answer, "memweb:sent")  # the dialog has it now: not the message box
    except InvalidInput as error:
        if hand.choices:  # the form that this began in is behind the dialog, which a toast closes
            return toast(str(error))
        raise


def _difference(conflict: Conflict) -> list[diff.Piece]:
    return diff.words(conflict.before, conflict.current)
