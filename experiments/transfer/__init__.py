"""What is generated for data sets of which no accuracy is known."""
