"""What the console's pages and the API know of the topics, in bounded memory."""
