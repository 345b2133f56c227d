"""What is kept in files: model folders and their cards, states of trainings, records of runs."""
