"""A learner and a net that quickstudy finds by their entry points."""
