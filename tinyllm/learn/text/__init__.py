"""What lessons are written with, and the places where they are read: terminal, notebook, pages."""
