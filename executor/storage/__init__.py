"""Disk images before libvirt has them: where they come from, and whether they are what they say; knows no libvirt."""
