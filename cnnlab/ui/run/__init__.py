"""One run on a page: while it waits, while it trains, and afterwards."""
