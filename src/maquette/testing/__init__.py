"""What a searcher of your own is held to: the contract that every shipped searcher passes."""
