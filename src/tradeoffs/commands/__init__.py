"""What the entry points call: each command reads from top to bottom."""
