# The reason of a domain's shutdown is heard of after its end.
 5.000  xen      web1 domain-gone
 5.000  expect   web1 destroy by operator, xen-destroy, likely
 5.001  xen      web1 domain-shutdown poweroff at=4.990
 5.001  expect   web1 poweroff by guest, xen-shutdown, certain
 6.000  expect   web1 1 verdict
