"""What each command does: read its input, call the library, print for people or as JSON."""
