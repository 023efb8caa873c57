"""What a searcher, store or executor of your own is held to: the contracts, as plain checks."""
