"""The process of an incident: what people may do, in which words, and what an incident carries of it."""
