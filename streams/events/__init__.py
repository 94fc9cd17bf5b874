"""Login events: what a record value says, or why it is none and what its producer should send."""
