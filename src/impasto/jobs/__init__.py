"""Jobs: everything that a user can ask for, each a frozen dataclass, and the one function that runs it."""
