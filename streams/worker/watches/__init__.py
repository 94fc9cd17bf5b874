"""What does a worker look at again and again: its broker, clock, rights and topics?"""
