# A toolstack pauses a domain and lets it run on; destroyed while it is paused, it was destroyed.
 4.990  vmpower  web1 request pause pid=501 comm=vmpower user=anna
 5.000  xen      web1 domain-paused
 5.000  expect   web1 pause by operator, xen-toolstack, graceful unknown, certain, left paused, actor vmpower
29.990  trace    web1 hypercall command=unpausedomain domid=5 pid=990 comm=xl
30.000  xen      web1 domain-unpaused
30.000  expect   web1 resume by operator, xen-toolstack, graceful unknown, certain, left running, actor xl
40.000  xen      web1 domain-paused
40.000  expect   web1 pause by operator, xen-toolstack, actor nobody
50.000  xen      web1 domain-gone true
50.000  expect   web1 destroy by operator, xen-destroy, not graceful, certain
50.000  expect   web1 4 verdicts
