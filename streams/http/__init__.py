"""What a process serves over HTTP: console, API, metrics, webhooks and the pages for the public."""
