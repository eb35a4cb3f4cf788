"""From a config to a run folder: sample, contour, fit, scan, validate."""
