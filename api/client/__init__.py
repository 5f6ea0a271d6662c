"""Python client of the HTTP API, blocking (`Client`) and asynchronous (`AsyncClient`).

with Client("http://127.0.0.1:8765", key="ai_…") as archive:
    job = archive.upload(Path("talk.mp4"), "talks")
    for event in archive.follow_job(job.id): ...
    print(archive.ask("When does the fire truck leave?").answer)
"""

from api.client.clients import AsyncClient, Client
from api.client.protocol import ProblemError, ServerUnavailable

__all__ = ["AsyncClient", "Client", "ProblemError", "ServerUnavailable"]
