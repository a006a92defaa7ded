"""What can go wrong at the sink, told apart by what the reader must do about it.

ShelflightError
 `-- SinkError
      +-- UsageError     mend the command line, then start again        (exit 2)
      +-- QueryError     mend the HTTP request; names the parameter     (HTTP 400)
      +-- StoreError     free space or mend the disk; nothing is acknowledged meanwhile,
      |                  so the broker and the units keep what is not stored
      `-- BrokerError    wait; the sink keeps trying and the broker keeps its session
"""

from __future__ import annotations

from edge_agent.errors import ShelflightError


class SinkError(ShelflightError):
    """Base of everything the sink raises on purpose."""


class UsageError(SinkError):
    """An argument is unusable; the message says which and what is allowed."""

    exit_code = 2


class QueryError(SinkError):
    """A request's parameter is unusable.

    Attributes:
        parameter: its name, for the JSON problem that is answered.
    """

    def __init__(self, parameter: str, message: str) -> None:
        self.parameter = parameter
        super().__init__(f"{parameter}: {message}")


class StoreError(SinkError):
    """The database could not be read or written."""


class BrokerError(SinkError):
    """The broker cannot be reached, refused, or broke off."""
