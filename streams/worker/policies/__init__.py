"""The policy file of a worker, and how a change of it is put in force."""
