"""The demo: a scenario through the whole pipeline on this machine, at many times the speed of life."""
