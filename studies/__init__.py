"""What to run and what comes out of it."""
