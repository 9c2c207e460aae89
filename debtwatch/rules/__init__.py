"""Rulebooks: warning systems as data, and their evaluation."""
