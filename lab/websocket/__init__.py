"""RFC 6455 over a byte stream: bytes in, bytes out. No sockets, no clock; of the lab it knows `lab.tcp` alone."""
