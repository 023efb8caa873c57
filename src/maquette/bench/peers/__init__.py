"""Other tuners, each in its own process and environment, behind our ask and tell."""
