"""What every lesson must pass before it is in the course; each gate takes a lesson and returns its complaints."""
