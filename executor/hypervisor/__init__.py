"""The only place that talks to libvirt.

``Hypervisor`` opens a connection and holds everything behind it; `drivers` says what differs between hypervisors;
`calls` is the one function through which every call goes, where tests look on, count, and make calls fail.
Everything here may be used from any thread; calls block, and let other threads run meanwhile.
"""
