"""One environment, step by step: facts in; findings, indicators, incidents and records of its days out."""
