"""Each module holds checks of one subject; a check returns what it saw or raises Failure."""
