"""What people and machines read of a run: the ladder, verdicts, JSON, JUnit, captures. Reads records, runs nothing."""
