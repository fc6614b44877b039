"""Builds and runs images without a container engine: the files of an image are real, its operating system is not.

The application runs with this machine's Node. Only the standard library is imported: the commands of builds start it.
"""
