# libxl takes its time on a busy host: it is still whoever had vmpower do it.
 4.900  vmpower  web1 request destroy pid=501 comm=vmpower user=anna
45.000  xen      web1 domain-gone true
45.000  expect   web1 destroy by operator, xen-destroy, certain, actor vmpower
