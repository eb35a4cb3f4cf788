"""Posteriors, fits and statements about the parameters of a model."""
