"""The Explore page, and the sweeps that pages begin and look at."""
