"""One module a command. The function that has the module's name is the command: its signature is the command line."""
