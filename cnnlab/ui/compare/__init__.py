"""The Compare page: any number of runs against each other."""
