"""A scenario through a whole deployment on this machine, at many times real time."""
