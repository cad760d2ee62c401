"""Classifiers: answers of a learner adapted to one task, their confidence, and explanations."""
