"""What cloud-init in a guest is told: the files, the disk, and how they reach a guest."""
