# The toolstack pauses a domain before it destroys it, and the helper tells of the pause when both have been asked for: the destroyer is known.
 5.000  trace    web1 hypercall command=pausedomain domid=5 pid=990 comm=xl user=anna
 5.001  trace    web1 hypercall command=destroydomain domid=5 pid=990 comm=xl user=anna
 5.050  xen      web1 domain-paused
 5.050  expect   web1 pause by operator, xen-toolstack
 5.200  xen      web1 domain-gone true
 5.200  expect   web1 destroy by operator, xen-destroy, certain, actor xl
 9.000  expect   web1 2 verdicts
# Who has paused it has not paused it again.
 4.999  trace    web2 hypercall command=pausedomain domid=5 pid=501 comm=xl user=root
 5.000  xen      web2 domain-paused
 5.000  expect   web2 pause by operator, xen-toolstack, actor xl
 6.000  xen      web2 domain-unpaused
 7.000  xen      web2 domain-paused
 7.000  expect   web2 pause by operator, xen-toolstack, actor nobody
