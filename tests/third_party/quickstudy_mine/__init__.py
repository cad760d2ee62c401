"""A learner, a net, a source and a kind of input that quickstudy finds by their entry points."""
