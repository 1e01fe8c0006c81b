"""One module per peer: how its own documentation says that an agent gets a limit."""
