"""`python -m api.cli` is the `afterimage` command."""

from api.cli.entry import main

main()
