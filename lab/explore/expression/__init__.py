"""What a person may send: Scapy's layers, read, checked and worked out without running it as Python."""
