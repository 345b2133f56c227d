"""Searchers from the literature, to be compared with the library's own: one file each.

Each is what an `ArchitectureSampler` asks for its proposals, so that all of them measure nothing
twice, go on with a study, and share it with other processes.
"""
