"""The documented model: RFC 9293 as values. Pure: no sockets, no clock, no Scapy, nothing else of the lab."""
