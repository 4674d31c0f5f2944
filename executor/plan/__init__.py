"""Decides what libvirt must be asked to do so that what is there becomes what is wanted; pure, and free of libvirt."""
