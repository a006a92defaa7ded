"""What can go wrong on a unit, told apart by what the reader must do about it.

ShelflightError
 +-- InputError          mend what you handed in, then start again   (exit 2)
 |    +-- ConfigError    ... the site file: every mistake in one message
 |    +-- ModelError     ... the model file: pull it, or name another
 |    `-- ClipError      ... the recording
 +-- CameraError         look at the camera and its cable; the unit keeps trying
 |    `-- CameraStalled  ... it is there but no picture came in time
 +-- StorageError        nothing to do at once; counts are held in RAM and retried
 |    +-- StorageFull    ... free space on the card
 |    `-- StorageDamaged ... the file was set aside; counting goes on in a new one
 +-- LinkError           wait; the rows stay on disk and are sent again
 `-- RecordError         a message does not follow the schema; it is put aside
"""

from __future__ import annotations


class ShelflightError(Exception):
    """Base of everything this package raises on purpose.

    Attributes:
        exit_code: what a command line exits with when this reaches it.
    """

    exit_code = 1


class InputError(ShelflightError):
    """Something handed to a command is unusable; the message says which and what is allowed."""

    exit_code = 2


class ConfigError(InputError):
    """The site file has mistakes; ``mistakes`` holds one line for each."""

    def __init__(self, source: str, mistakes: list[str]) -> None:
        self.source = source
        self.mistakes = mistakes
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {line}" for line in mistakes)]))


class ModelError(InputError):
    """A model is missing, not the file it should be, or does not fit its manifest entry."""


class ClipError(InputError):
    """A recording cannot be read."""


class CameraError(ShelflightError):
    """The camera is absent or broke off."""

    exit_code = 3


class CameraStalled(CameraError):
    """No frame within the time allowed."""


class StorageError(ShelflightError):
    """The outbox could not be written; the caller still holds the counts."""


class StorageFull(StorageError):
    """No space left for the outbox."""


class StorageDamaged(StorageError):
    """The outbox file is not a sound database."""


class LinkError(ShelflightError):
    """The broker cannot be reached or refused."""


class RecordError(ShelflightError):
    """A message does not follow the telemetry's schema."""
