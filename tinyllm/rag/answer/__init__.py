"""Answers from what was found: packed into a prompt, guarded against what documents say, and every citation checked."""
