"""Write the API's OpenAPI document, from which the page's types are made: python api/web/write_openapi.py FILE."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from api.app import create_app
from services.container import Container
from services.settings import load_settings


def main() -> None:
    """Write the document of this version's API."""
    with tempfile.TemporaryDirectory() as home:
        container = Container(load_settings("local").model_copy(update={"home": Path(home)}))
        try:
            document = create_app(container, allow_anonymous=True).openapi()
        finally:
            container.close()
    Path(sys.argv[1]).write_text(json.dumps(document), "utf-8")


if __name__ == "__main__":
    main()
