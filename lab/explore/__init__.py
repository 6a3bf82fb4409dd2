"""Playing one end of a connection by hand, one segment at a time: `lab explore`."""
