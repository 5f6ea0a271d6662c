"""Errors that the indexer raises, and the root of all errors of Afterimage.

AfterimageError
├── SourceError                a file that cannot be indexed; names the file and the reason
│   ├── SourceNotFound         (LookupError)
│   ├── UnsupportedMedia       (ValueError)   no decoder takes it, or it is not media at all
│   ├── DamagedMedia           (ValueError)   empty, truncated, corrupt
│   ├── ProtectedMedia         (PermissionError)   encrypted, or a password is needed
│   └── LimitExceeded          (ValueError)   larger, longer or slower than the settings allow
├── AssetNotFound              (LookupError)
├── ArtifactError              (OSError)      stored data is missing or damaged
├── BlobStoreUnavailable       (ConnectionError) the object store cannot be reached, or refuses
├── StorageFull                (OSError)      the disk is full, or writing failed
├── WriteLockTimeout           (RuntimeError) another process is writing
├── IndexUnavailable           (ConnectionError) the index server cannot be reached, or refuses
├── IndexMismatch              (ValueError)   the index was made by another model than the settings name
├── ModelError                 (RuntimeError) weights are missing, damaged, or of the wrong kind
├── InvalidInput               (ValueError)   a query, a name or a cursor that is not valid
└── SettingsError              (ValueError)

Each package above defines the errors that it raises itself, as subclasses of `AfterimageError`, in its `errors.py`:
`memory`, `services.access`, `catalog`, `database`, `egress`, `generators`, `ingest`, `jobs`; `services.cancellation` has
`Cancelled`.
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


class ArtifactError(AfterimageError, OSError):
    """What was stored for an asset is missing or damaged."""


class BlobStoreUnavailable(AfterimageError, ConnectionError):
    """The object store cannot be reached, refuses, or fails; nothing is known of what it holds."""


class StorageFull(AfterimageError, OSError):
    """The disk is full, or writing failed."""


class WriteLockTimeout(AfterimageError, RuntimeError):
    """Another process is writing."""


class IndexUnavailable(AfterimageError, ConnectionError):
    """The server that holds the index cannot be reached, refuses the key, or fails."""


class IndexMismatch(AfterimageError, ValueError):
    """The index was made by another model than the settings name."""


class ModelError(AfterimageError, RuntimeError):
    """Weights are missing, damaged, or of the wrong kind."""


class InvalidInput(AfterimageError, ValueError):
    """A question that cannot be asked, or a name that cannot be kept."""


class SettingsError(AfterimageError, ValueError):
    """A setting that is unknown or does not make sense."""
