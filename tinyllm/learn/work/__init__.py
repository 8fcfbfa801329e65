"""The learner's folder: their files, of which nothing is ever lost, and how far they are."""
