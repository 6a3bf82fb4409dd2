"""The WebSocket service's resources, one module for each use that it shows, and what they share."""
