"""The Python client of the HTTP API, blocking (`Client`) and asynchronous (`AsyncClient`), from one source.

with Client("http://127.0.0.1:8765", key="ai_…") as archive:
    job = archive.upload(Path("talk.mp4"), "talks")
    for event in archive.follow(job.id): ...
    print(archive.ask("When does the fire truck leave?").answer)
"""

from api.client.clients import AsyncClient, Client
from api.client.protocol import ProblemError, ServerUnavailable

__all__ = ["AsyncClient", "Client", "ProblemError", "ServerUnavailable"]
