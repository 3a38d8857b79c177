"""Side-by-side measurements of the lab, each against its baseline."""
