"""Screening of planned construction: projects and what they do to each threshold."""
