"""The families of tasks, one a file; each is imported when it is asked for."""
