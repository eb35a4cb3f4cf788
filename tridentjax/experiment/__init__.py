"""Beams, targets, exposures and measurements of an experiment, and the likelihood of a measurement."""
