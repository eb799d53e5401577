"""The Agents API: an agent that is defined at OpenAI, with functions that run here."""
