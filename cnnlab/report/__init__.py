"""Runs on paper: run cards for other machines, tables, and a run as a Keras script."""
