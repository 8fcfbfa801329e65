"""What lessons work on: texts drawn at random, and rules to be told apart."""
