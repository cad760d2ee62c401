"""Learners as folders of data."""
