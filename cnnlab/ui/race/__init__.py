"""The Race page: lanes, the replay, and the verdict."""
