# Whoever had vmpower suspend a domain is the actor, also where the guest is told by an event channel that nobody sees.
 4.990  vmpower  web1 request suspend pid=501 comm=vmpower user=anna
 5.100  xen      web1 domain-shutdown suspend
 5.100  expect   web1 suspend by operator, xen-control, graceful, certain, left suspended, actor vmpower
