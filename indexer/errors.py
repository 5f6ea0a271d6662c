"""Everything that Afterimage raises on purpose.

AfterimageError
├── SourceError                a file that cannot be indexed; names the file and the reason
│   ├── SourceNotFound         (LookupError)
│   ├── UnsupportedMedia       (ValueError)   no decoder takes it, or it is not media at all
│   ├── DamagedMedia           (ValueError)   empty, truncated, corrupt
│   ├── ProtectedMedia         (PermissionError)   encrypted, or a password is needed
│   └── LimitExceeded          (ValueError)   larger, longer or slower than the settings allow
├── AssetNotFound              (LookupError)
├── CollectionNotFound         (LookupError)
├── ArtifactError              (OSError)      what was stored is missing or damaged
├── BlobsUnavailable           (ConnectionError) the object store cannot be reached, or refuses
├── StorageFull                (OSError)      the disk is full, or writing failed
├── IndexBusy                  (RuntimeError) another process is writing
├── IndexUnavailable           (ConnectionError) the server that holds the index cannot be reached, or refuses
├── IndexMismatch              (ValueError)   the index was made by another model than the settings name
├── MemoryMismatch             (ValueError)   a video's memory was made by another model than is asked for
├── ModelError                 (RuntimeError) weights missing, damaged, or of the wrong kind
├── GeneratorUnavailable       (ConnectionError) a server that should answer cannot be reached, or breaks off
├── QueryError                 (ValueError)   a question that cannot be asked
└── SettingsError              (ValueError)
"""

from __future__ import annotations


class AfterimageError(Exception):
    """The root: `except AfterimageError` catches all of them."""


class SourceError(AfterimageError):
    """A source that cannot be indexed. `str()` is one line: the file and the reason."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class SourceNotFound(SourceError, LookupError):
    """There is no such file, or it may not be read."""


class UnsupportedMedia(SourceError, ValueError):
    """No decoder takes it, or it is not media at all."""


class DamagedMedia(SourceError, ValueError):
    """Empty, truncated or corrupt."""


class ProtectedMedia(SourceError, PermissionError):
    """Encrypted, or a password is needed."""


class LimitExceeded(SourceError, ValueError):
    """Larger, longer or slower than the settings allow."""


class AssetNotFound(AfterimageError, LookupError):
    """No asset of that id or name."""


class CollectionNotFound(AfterimageError, LookupError):
    """No collection of that name."""


class ArtifactError(AfterimageError, OSError):
    """What was stored for an asset is missing or damaged."""


class BlobsUnavailable(AfterimageError, ConnectionError):
    """The object store cannot be reached, refuses, or fails; nothing is known of what it holds."""


class StorageFull(AfterimageError, OSError):
    """The disk is full, or writing failed."""


class IndexBusy(AfterimageError, RuntimeError):
    """Another process is writing."""


class IndexUnavailable(AfterimageError, ConnectionError):
    """The server that holds the index cannot be reached, refuses the key, or fails."""


class IndexMismatch(AfterimageError, ValueError):
    """The index was made by another model than the settings name."""


class MemoryMismatch(AfterimageError, ValueError):
    """A video's memory was made by another model than the one that wants it."""


class ModelError(AfterimageError, RuntimeError):
    """Weights are missing, damaged, or of the wrong kind."""


class GeneratorUnavailable(AfterimageError, ConnectionError):
    """A server that should answer cannot be reached, stalls, or breaks off."""


class QueryError(AfterimageError, ValueError):
    """A question that cannot be asked."""


class SettingsError(AfterimageError, ValueError):
    """A setting that is unknown or does not make sense."""
