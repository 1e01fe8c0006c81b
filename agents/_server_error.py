"""The one exception of everything that concerns a model server."""

__all__ = ["ServerError"]


class ServerError(RuntimeError):
    """A model server could not be started, reached or understood; the message says what to change."""
