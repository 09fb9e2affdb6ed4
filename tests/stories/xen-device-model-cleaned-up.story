# An HVM guest powers itself off; its device model is ended by the toolstack, however soon, and that makes no doubt.
 1.000  xen      web1 device-model pid=77
 5.000  xen      web1 domain-shutdown poweroff
 5.000  expect   web1 poweroff by guest, xen-shutdown, graceful, certain
 5.001  trace    web1 signal SIGHUP pid=901 comm=xl
 5.200  xen      web1 domain-gone false
 6.000  expect   web1 1 verdict
 6.000  expect   web1 0 revisions
# A signal to it right before may have made it say so.
 1.000  xen      web2 device-model pid=77
 4.999  trace    web2 signal SIGTERM pid=501 comm=kill user=anna
 5.000  xen      web2 domain-shutdown poweroff
 5.000  expect   web2 poweroff by guest, xen-shutdown, likely
