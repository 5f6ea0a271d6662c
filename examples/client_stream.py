"""Print an answer sentence by sentence, as a server verifies them.

    afterimage serve &
    python examples/client_stream.py "When does the fire truck leave?"

`AFTERIMAGE_KEY` holds the API key; a server that listens on loopback only needs none.
"""

from __future__ import annotations

import os
import sys

from api.client import Client
from api.schemas.responses import EvidenceEvent
from api.schemas.results import AnswerShape, SentenceShape

DEFAULT_URL = "http://127.0.0.1:8765"


def main(question: str, url: str = DEFAULT_URL) -> None:
    """Stream one answer. Errors: ProblemError (the server refuses), ServerUnavailable."""
    with Client(url, key=os.environ.get("AFTERIMAGE_KEY")) as client:
        for event in client.ask_stream(question):
            match event:
                case EvidenceEvent():
                    print(f"{len(event.evidence)} pieces of evidence", flush=True)
                case SentenceShape():
                    names = ", ".join(citation.name for citation in event.citations)
                    print(f"{event.text} [{event.verdict}: {names}]", flush=True)
                case AnswerShape(abstained=True):
                    print(event.answer)
                case _:
                    pass  # the whole answer once more, and what it took (`usage`)


if __name__ == "__main__":
    main(*sys.argv[1:3])
