"""Samples of events: sources, the adaptive stream of trials, files."""
