"""By which policies a worker may judge, up to which T."""
