"""Which records of an input partition count and from which T on, and the rows of facts that they become."""
