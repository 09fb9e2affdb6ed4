# A request that has come to nothing for half a minute, and somebody who does it himself.
 4.900  vmpower  web1 request destroy pid=501 comm=vmpower user=anna
44.990  trace    web1 hypercall command=destroydomain domid=5 pid=990 comm=xl user=anna
45.000  xen      web1 domain-gone true
45.000  expect   web1 destroy by operator, xen-destroy, certain, actor xl
