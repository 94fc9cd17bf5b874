"""All that touches the outside: Kafka, HTTP, files, the command line. The only package that knows Kafka and Faust."""
