# Whoever had vmpower destroy a domain is the actor.
 4.900  vmpower  web1 request destroy pid=501 comm=vmpower user=anna
 4.990  trace    web1 hypercall command=destroydomain domid=5 pid=77 comm=vmpower-source-
 5.000  xen      web1 domain-gone true
 5.000  expect   web1 destroy by operator, xen-destroy, certain, actor vmpower
