"""Randall-Sundrum lepton parameters as shifts of the trident current: geometry, towers, matching."""
