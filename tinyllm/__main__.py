"""``python -m tinyllm``: the command line, where the ``tinyllm`` command is not on the path."""

from .cli.main import main

raise SystemExit(main())
