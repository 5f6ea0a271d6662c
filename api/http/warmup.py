"""Warm-up: models are loaded in the background while the server already answers; `/readyz` tells when they are."""

from __future__ import annotations

import logging
import threading

from indexer.errors import AfterimageError
from services.container import Container

_log = logging.getLogger(__name__)
_LOADING, _READY = "loading", "ready"


class ModelWarmup:
    """Loads the models of a container in a thread. `state`: `loading`, `ready`, or the class name of an error."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._thread = threading.Thread(target=self._load, name="loading models", daemon=True)
        self.state = _LOADING

    def start(self) -> None:
        """Instantiate the services, which is not thread-safe, and begin to load. Errors: those of the settings."""
        self._container.instantiate()
        self._thread.start()

    def wait(self) -> None:
        """Wait until the models are loaded, or loading has failed."""
        self._thread.join()

    def _load(self) -> None:
        try:
            self._container.preload_models()
            self.state = _READY
        except AfterimageError as error:
            self.state = type(error).__name__
            _log.error("the models cannot be loaded: %s", error)
