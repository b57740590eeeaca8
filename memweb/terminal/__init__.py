"""memweb in a terminal. It speaks to the server as any program does: through `memweb.client` alone."""
