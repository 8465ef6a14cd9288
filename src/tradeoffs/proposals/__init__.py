"""Regions that come from outside the network: algorithms that propose them, and where they are kept."""
