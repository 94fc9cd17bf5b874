"""What becomes of records that a broker does not take."""
