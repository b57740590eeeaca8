"""What went wrong, in the person's language: the server says its own, the client's are said here."""

from memweb.client import ConnectionLost, MemwebError, NameTaken, NoServer, NotNow
from memweb.terminal.language import gettext as _


def sentence(error: MemwebError) -> str:
    """For a person at a terminal, who has no use for a program's next step."""
    if isinstance(error, NoServer):
        return _("No memweb answers. `memweb up` starts it on this machine.")
    if isinstance(error, ConnectionLost):
        return _("The connection to memweb was lost.")
    if isinstance(error, NameTaken) and isinstance(error.__cause__, NotNow):
        return str(error.__cause__)
    return str(error)
