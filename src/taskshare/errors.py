"""The one error that a user is meant to read."""


class TaskshareError(Exception):
    """One line that says what is wrong, where, and what to do; the command line prints it and exits with 1."""
