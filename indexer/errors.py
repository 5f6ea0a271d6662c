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
├── CollectionExists           (ValueError)   a collection of that name is there already
├── CollectionInUse            (RuntimeError) a collection that holds assets cannot go
├── ArtifactError              (OSError)      what was stored is missing or damaged
├── BlobsUnavailable           (ConnectionError) the object store cannot be reached, or refuses
├── StorageFull                (OSError)      the disk is full, or writing failed
├── DatabaseUnavailable        (ConnectionError) the database server cannot be reached, or breaks off
├── IndexBusy                  (RuntimeError) another process is writing
├── IndexUnavailable           (ConnectionError) the server that holds the index cannot be reached, or refuses
├── IndexMismatch              (ValueError)   the index was made by another model than the settings name
├── MemoryMismatch             (ValueError)   a video's memory was made by another model than is asked for
├── ModelError                 (RuntimeError) weights missing, damaged, or of the wrong kind
├── GeneratorUnavailable       (ConnectionError) a server that should answer cannot be reached, or breaks off
├── JobNotFound                (LookupError)
├── JobConflict                (RuntimeError) a job's state does not allow what is asked of it
├── JobNotHeld                 (RuntimeError) a job that is another worker's, or at its end
├── QueueUnavailable           (ConnectionError) the queue of jobs cannot be reached
├── UploadNotFound             (LookupError)
├── UploadConflict             (RuntimeError) bytes that do not go on where an upload is
├── RepeatConflict             (RuntimeError) a request under a name that another one has
├── NotAllowed                 (PermissionError) a path or a URL that the settings do not open
├── AddressUnavailable         (ConnectionError) a URL cannot be reached, stalls, breaks off, or answers with an error
├── QueryError                 (ValueError)   a question that cannot be asked, a name that cannot be kept
├── Stopped                    (RuntimeError) nobody waits for the work any more
├── KeyRefused                 (PermissionError) a key that is not known, has expired or was revoked
├── KeyNotFound                (LookupError)
├── RightMissing               (PermissionError) a key that may not do this
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


class CollectionExists(AfterimageError, ValueError):
    """A collection of that name is there already."""


class CollectionInUse(AfterimageError, RuntimeError):
    """A collection that holds assets cannot go."""


class ArtifactError(AfterimageError, OSError):
    """What was stored for an asset is missing or damaged."""


class BlobStoreUnavailable(AfterimageError, ConnectionError):
    """The object store cannot be reached, refuses, or fails; nothing is known of what it holds."""


class StorageFull(AfterimageError, OSError):
    """The disk is full, or writing failed."""


class DatabaseUnavailable(AfterimageError, ConnectionError):
    """The database server cannot be reached, is too busy, or breaks off."""


class WriteLockTimeout(AfterimageError, RuntimeError):
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


class JobNotFound(AfterimageError, LookupError):
    """No job of that id."""


class JobConflict(AfterimageError, RuntimeError):
    """A job's state does not allow what is asked of it."""


class LeaseLost(AfterimageError, RuntimeError):
    """A job is not, or no longer, this worker's: it was cancelled, came to its end, or its lease ran out."""


class QueueUnavailable(AfterimageError, ConnectionError):
    """The queue that carries jobs to workers cannot be reached."""


class UploadNotFound(AfterimageError, LookupError):
    """No upload of that id, or it has expired."""


class UploadConflict(AfterimageError, RuntimeError):
    """Bytes that do not go on where an upload is, or that another request is sending."""


class IdempotencyConflict(AfterimageError, RuntimeError):
    """A request under a name that another one has, or that is being answered right now."""


class SourceForbidden(AfterimageError, PermissionError):
    """A path or a URL that the settings do not open."""


class RemoteUnavailable(AfterimageError, ConnectionError):
    """A URL cannot be reached, stalls, breaks off, or answers with an error."""


class InvalidInput(AfterimageError, ValueError):
    """A question that cannot be asked, or a name that cannot be kept."""


class Cancelled(AfterimageError, RuntimeError):
    """The work was given up because nobody waits for it any more."""


class InvalidApiKey(AfterimageError, PermissionError):
    """A key that is not known, has expired or was revoked."""


class KeyNotFound(AfterimageError, LookupError):
    """No key of that id."""


class InsufficientScope(AfterimageError, PermissionError):
    """A key that is known, but may not do this."""


class SettingsError(AfterimageError, ValueError):
    """A setting that is unknown or does not make sense."""
