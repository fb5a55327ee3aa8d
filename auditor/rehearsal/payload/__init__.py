"""Scripts that run inside images, under whatever interpreter those have (3.6 and later).

They are sent as text and never imported here. What they print is not trusted.
"""
