"""Graph networks, whose operations and wiring vary."""
