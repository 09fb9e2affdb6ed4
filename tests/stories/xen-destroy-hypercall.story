# The hypercall that destroyed a domain was seen, and who made it.
 4.900  trace    web1 hypercall command=pausedomain domid=5 pid=990 comm=xl user=anna
 4.990  trace    web1 hypercall command=destroydomain domid=5 pid=990 comm=xl user=anna
 5.000  xen      web1 domain-gone
 5.000  expect   web1 destroy by operator, xen-destroy, not graceful, certain, left gone, actor xl
