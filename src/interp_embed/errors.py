"""Every error this library raises on purpose.

InterpEmbedError
├── InputError            data, a file or an argument that cannot be used (also a ValueError)
├── SealedRowsError       confirm rows asked for in the wrong order (also a RuntimeError)
├── StoredFileError       a cache, checkpoint or result on disk that is damaged or not for this data
├── MissingExtraError     an optional package is not installed (also an ImportError)
└── LLMError              a language model's server cannot be used at all (also a RuntimeError)

Beside them: Interrupted, a KeyboardInterrupt that carries what was finished, StoppedWarning, of a
run that ended early and returned what it had, and NoSignalWarning, before anything is spent on a
target that the texts do not predict.
"""

from typing import Any


class InterpEmbedError(Exception):
    """Base of all errors here; a message says what was wrong, what was got, how to fix it."""


class InputError(InterpEmbedError, ValueError):
    """Data, a file or an argument cannot be used as given."""


class SealedRowsError(InterpEmbedError, RuntimeError):
    """Confirm rows were asked for before the hypotheses were fixed, or a second time."""


class StoredFileError(InterpEmbedError):
    """A cache, checkpoint or result on disk is damaged, or was made from other data or settings."""


class MissingExtraError(InterpEmbedError, ImportError):
    """An optional package is not installed; the message names the command that installs it."""


class LLMError(InterpEmbedError, RuntimeError):
    """A language model's server cannot be used: no such model, wrong key, no credit, not reached.

    Whatever was answered before is stored; the same call, run again, goes on from there.
    """


class StoppedWarning(UserWarning):
    """A run ended before all was asked; the message says why, and how to go on."""


class NoSignalWarning(UserWarning):
    """Nothing in the texts is seen to predict the target: a study may find nothing, or chance."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; everything that had been answered is stored, and the message says how to go on."""

    def __init__(self, message: str, partial: Any = None) -> None:  # noqa: ANN401 - as the call's
        super().__init__(message)
        self.partial = partial
        """What the call would have returned; answers that were not asked are missing in it."""
