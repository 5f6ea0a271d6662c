"""Exception hierarchy of the indexer, with the root of all exceptions of Afterimage.

AfterimageError
├── SourceError                a file that cannot be indexed; has its name and the reason
│   ├── SourceNotFound         (LookupError)
│   ├── UnsupportedMedia       (ValueError)   no decoder reads it, or it is not media at all
│   ├── DamagedMedia           (ValueError)   empty, truncated, corrupt
│   ├── ProtectedMedia         (PermissionError)   encrypted, or a password is needed
│   ├── LimitExceeded          (ValueError)   larger, longer or slower than the settings allow
│   └── SourceChanged          (RuntimeError) written to while it was indexed
├── AssetNotFound              (LookupError)
├── ArtifactError              (OSError)      stored data is missing or damaged
├── BlobStoreUnavailable       (ConnectionError) the object store cannot be reached, or denies access
├── StorageFull                (OSError)      the disk is full, or writing failed
│   └── ReadOnlyArchive        the archive lies on storage that cannot be written to
├── WriteLockTimeout           (RuntimeError) another process is writing
├── IndexUnavailable           (ConnectionError) the index server cannot be reached, or denies access
├── IndexMismatch              (ValueError)   vectors of another model or width than the lane's
├── ModelError                 (RuntimeError) weights are missing, damaged, or of the wrong kind
├── InvalidInput               (ValueError)   a query, a name or a cursor that is not valid
└── SettingsError              (ValueError)

Each higher package defines its own subclasses of `AfterimageError` in its `errors.py`: `memory`, `services.access`,
`services.catalog`, `services.database`, `services.egress`, `services.generators`, `services.ingest`, `services.jobs`;
`services.cancellation` has `Cancelled`.
"""

from __future__ import annotations


class AfterimageError(Exception):
    """Root of all exceptions of Afterimage."""


class SourceError(AfterimageError):
    """Source file that cannot be indexed; `str()` is one line, the file name and the reason."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class SourceNotFound(SourceError, LookupError):
    """Source file that does not exist or may not be read."""


class UnsupportedMedia(SourceError, ValueError):
    """Source file that no decoder reads, or that is not media at all."""


class DamagedMedia(SourceError, ValueError):
    """Source file that is empty, truncated or corrupt."""


class ProtectedMedia(SourceError, PermissionError):
    """Source file that is encrypted or needs a password."""


class LimitExceeded(SourceError, ValueError):
    """Source file that is larger, longer or slower to decode than the settings allow."""


class SourceChanged(SourceError, RuntimeError):
    """Source file that was written to, or replaced, while it was indexed."""


class AssetNotFound(AfterimageError, LookupError):
    """Asset that does not exist under that id or name."""


class ArtifactError(AfterimageError, OSError):
    """Stored data of an asset, or an index file, that is missing or damaged."""


class BlobStoreUnavailable(AfterimageError, ConnectionError):
    """Object store that cannot be reached, denies access, or fails; whether a key exists stays unknown."""


class StorageFull(AfterimageError, OSError):
    """Write that failed, mostly because the disk is full."""


class ReadOnlyArchive(StorageFull):
    """Change of an archive that lies on storage that cannot be written to."""

    def __init__(self) -> None:
        super().__init__(
            "the archive is on read-only storage: it can be listed, searched and asked; indexing, deletion, jobs, "
            "uploads and changes of keys are off"
        )


class WriteLockTimeout(AfterimageError, RuntimeError):
    """Write lock that another process held for too long, or writers that conflict too often."""


class IndexUnavailable(AfterimageError, ConnectionError):
    """Index server that cannot be reached, denies access, or fails."""


class IndexMismatch(AfterimageError, ValueError):
    """Vectors that do not fit their lane: of another model than configured, or of another width."""


class ModelError(AfterimageError, RuntimeError):
    """Model weights that are missing, damaged, or of the wrong kind."""


class InvalidInput(AfterimageError, ValueError):
    """Invalid argument of a request: a query, a name or a cursor."""


class SettingsError(AfterimageError, ValueError):
    """Setting that is unknown or has an invalid value."""
