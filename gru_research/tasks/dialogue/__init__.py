"""Dialogues: the bot's next words, from all that was said and found before."""
