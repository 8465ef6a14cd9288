"""A command line becomes a checked config, or one line that says what is wrong. Imports no torch."""
