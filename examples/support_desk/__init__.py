"""A help desk behind every layer. Read in this order: app, server, tools; then the rest.

python -m examples.support_desk
"""
