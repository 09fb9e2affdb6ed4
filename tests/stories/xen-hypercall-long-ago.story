# What somebody told Xen long ago, and Xen refused, is not what a domain is paused or gone by now.
 5.000  trace    web1 hypercall command=pausedomain domid=5 pid=990 comm=xl user=anna
 6.000  trace    web1 hypercall command=destroydomain domid=5 pid=990 comm=xl user=anna
130.000 xen      web1 domain-paused
130.000 expect   web1 pause by operator, xen-toolstack, certain, left paused, actor nobody
140.000 xen      web1 domain-gone
140.000 expect   web1 destroy by operator, xen-destroy, likely, left gone, actor nobody
