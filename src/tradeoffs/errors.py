"""What the user did wrong, said in one line."""

CRASH = 1  # exit code


class UserError(Exception):
    """Bad input. The entry points print its message as one line and exit with code 2.

    The message says what is wrong and what would be right; `details` are further lines (all faults of a data
    set, say) that are printed below it.
    """

    def __init__(self, message: str, details: tuple[str, ...] = ()):
        super().__init__(message)
        self.details = details


class MismatchError(UserError):
    """Settings that are right each for itself and do not go together; a sweep leaves such a run out."""


class BusyError(UserError):
    """Another process is at what this one wants to change."""


class JobFailedError(Exception):
    """A job of a sweep has failed and said why; the others go on. Its arguments: the exit code, any UserError."""
