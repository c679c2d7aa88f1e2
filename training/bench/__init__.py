"""What a network costs: a token of it while it plays, and its training."""
