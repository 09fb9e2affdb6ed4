# A program of dom0's tells the hypervisor that the domain has shut down: its doing, and not the guest's.
 1.000  xen      web1 device-model pid=77
 4.999  trace    web1 hypercall command=shutdown domid=3 reason=poweroff pid=501 comm=python3 user=root
 5.000  xen      web1 domain-shutdown poweroff
 5.000  expect   web1 poweroff by operator, xen-toolstack, not graceful, certain, left off, actor python3, rule xen-remote-poweroff
# Its device model does so for its guest.
 1.000  xen      web2 device-model pid=77
 4.999  trace    web2 hypercall command=shutdown domid=4 reason=reboot pid=77 comm=qemu-system-i38
 5.000  xen      web2 domain-shutdown reboot
 5.000  expect   web2 reboot by guest, xen-shutdown, certain, actor nobody
# So is a domain saved whose guest does not listen. Which process its device model is was not seen: that may have said it.
 4.999  trace    web3 hypercall command=shutdown domid=5 reason=suspend pid=501 comm=xl user=root
 5.000  xen      web3 domain-shutdown suspend
 5.000  expect   web3 suspend by operator, xen-toolstack, likely, left suspended, actor xl
# Long ago it was refused.
 1.000  trace    web4 hypercall command=shutdown domid=6 reason=crash pid=501 comm=python3 user=root
5m     xen      web4 domain-shutdown crash
5m     expect   web4 crash by guest, xen-shutdown, certain
# A guest that crashes right after it was said to reboot, and that Xen did not hear, has crashed.
 1.000  xen      web5 device-model pid=77
 4.999  trace    web5 hypercall command=shutdown domid=7 reason=reboot pid=501 comm=python3 user=root
 5.000  xen      web5 domain-shutdown crash
 5.000  expect   web5 crash by guest, xen-shutdown, certain, actor nobody
# Whoever has the pid of a device model that has ended is not that.
 1.000  xen      web6 device-model pid=77
 2.000  process  web6 device-model-killed SIGKILL
 2.000  expect   web6 failure by operator, signal, left running
60.000  trace    web6 hypercall command=shutdown domid=8 reason=poweroff pid=77 comm=python3 user=root
60.001  xen      web6 domain-shutdown poweroff
61.000  expect   web6 poweroff by operator, xen-toolstack, likely, actor python3
# It has another one by then, as after a soft reset.
 1.000  xen      web7 device-model pid=77
 2.000  process  web7 device-model-killed SIGKILL
 2.500  expect   web7 failure by operator, signal
 3.000  xen      web7 device-model pid=78
60.000  trace    web7 hypercall command=shutdown domid=9 reason=poweroff pid=78 comm=qemu-system-i38
60.001  xen      web7 domain-shutdown poweroff
61.000  expect   web7 poweroff by guest, xen-shutdown, certain
