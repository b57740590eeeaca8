"""What a person wishes of the models of this machine; the local model's process does it (`memweb/local_model.py`)."""

from dataclasses import replace

from django.conf import settings
from django.utils.translation import gettext as _

from agents import selectors
from agents.exceptions import InvalidInput
from memweb.stack.wishes import Wishes, change_wishes


def local_model_wish(*, name: str, act: str) -> None:
    """Have a model fetched, paused, deleted or used. Raises InvalidInput for what cannot be done with it now."""
    models = selectors.local_models()
    row = next((row for row in models.rows if row.model.name == name), None) if models else None
    if row is None:
        raise InvalidInput(_("There is no such model on this machine."))
    allowed = next((each for each in row.acts if each == act), None)
    if allowed is None:
        raise InvalidInput(_("That cannot be done with %(name)s now. Look at how far it is.") % {"name": name})

    def change(wishes: Wishes) -> Wishes:
        return replace(wishes.without(name), serve=name) if allowed == "use" else wishes.with_wish(name, allowed)

    change_wishes(settings.PATHS, change)
