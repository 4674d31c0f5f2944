"""``python -m executor.cli`` is ``virtctl``."""

from executor.cli.main import main

main()
