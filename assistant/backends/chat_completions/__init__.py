"""Chat Completions, for servers that speak nothing newer."""
