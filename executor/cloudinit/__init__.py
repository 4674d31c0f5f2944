"""What cloud-init in a guest is told, and the small disk that it reads it from; pure, and free of libvirt."""
