"""Runners: drivers that run instances which they own."""
