"""Tasks: what a learner learns from, and one file per source."""
