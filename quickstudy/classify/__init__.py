"""A learner that has learned one task: its answers, how sure they are, and why."""
