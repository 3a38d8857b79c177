"""The Learn page: five questions that runs on this machine answer."""
