# A kernel's panic is told to the hypervisor; the domain is kept, and whoever destroys it later only clears it away.
policy web1 on_crash=preserve
 5.000  xen      web1 domain-shutdown crash
 5.000  expect   web1 crash by guest, xen-shutdown, not graceful, certain, left off, preserve none
 1h     trace    web1 hypercall command=destroydomain domid=5 pid=990 comm=xl user=anna
 1h     xen      web1 domain-gone false
 2h     expect   web1 crash by guest, xen-shutdown, left off, actor nobody
 2h     expect   web1 1 verdict
 2h     expect   web1 0 revisions
