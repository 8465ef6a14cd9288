"""Runs compared: figures that are functions of a table, and the pages that show them."""
