"""The command line, one file per command; ``main`` finds the one that is asked for and loads nothing else."""
