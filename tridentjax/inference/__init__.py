"""Statistics on top of the likelihood: posterior sampling and grids."""
