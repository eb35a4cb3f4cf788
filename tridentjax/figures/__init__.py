"""Drawings: functions of arrays and records that return Matplotlib figures."""
