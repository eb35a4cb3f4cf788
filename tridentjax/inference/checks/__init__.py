"""Whether a posterior can be trusted: simulation-based calibration, agreement, predictive checks."""
