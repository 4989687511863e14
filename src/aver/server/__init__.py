"""The server: an HTTP API over analyses, their jobs, and the page that shows them."""
