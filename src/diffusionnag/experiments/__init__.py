"""The paper's tables and figures, and the library's own figures, as commands."""
