# A program of dom0's tells the hypervisor that the domain has shut down: its doing, and not the guest's.
 1.000  xen      web1 device-model pid=77
 4.999  trace    web1 hypercall command=shutdown domid=3 pid=501 comm=python3 user=root
 5.000  xen      web1 domain-shutdown poweroff
 5.000  expect   web1 poweroff by operator, xen-toolstack, not graceful, certain, left off, actor python3, rule xen-remote-poweroff
# Its device model does so for its guest.
 1.000  xen      web2 device-model pid=77
 4.999  trace    web2 hypercall command=shutdown domid=4 pid=77 comm=qemu-system-i38
 5.000  xen      web2 domain-shutdown reboot
 5.000  expect   web2 reboot by guest, xen-shutdown, certain, actor nobody
# So is a domain saved whose guest does not listen.
 4.999  trace    web3 hypercall command=shutdown domid=5 pid=501 comm=xl user=root
 5.000  xen      web3 domain-shutdown suspend
 5.000  expect   web3 suspend by operator, xen-toolstack, left suspended, actor xl
# Long ago it was refused.
 1.000  trace    web4 hypercall command=shutdown domid=6 pid=501 comm=python3 user=root
5m     xen      web4 domain-shutdown crash
5m     expect   web4 crash by guest, xen-shutdown, certain
