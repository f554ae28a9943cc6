"""Every error this library raises on purpose.

InterpEmbedError
├── InputError            data, a file or an argument that cannot be used (also a ValueError)
├── SealedRowsError       confirm rows asked for in the wrong order (also a RuntimeError)
├── StoredFileError       a cache, checkpoint or result on disk that is damaged or not for this data
└── MissingExtraError     an optional package is not installed (also an ImportError)
"""


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
