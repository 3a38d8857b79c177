"""The lab's engines and fair yardsticks, on every preset's recipe, in one run."""
