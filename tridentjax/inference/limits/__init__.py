"""Statements about parameters: regions, statistics, impacts, reach."""
