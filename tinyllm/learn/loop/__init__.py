"""Save the file, and a moment later the verdict is there: the watch loop, and the process that each check runs in."""
