"""`python -m api.cli` is the `afterimage` command."""

from api.cli.main import main

main()
