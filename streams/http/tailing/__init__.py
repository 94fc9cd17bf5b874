"""How the views behind the pages follow the topics."""
