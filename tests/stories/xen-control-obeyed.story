# Asked through control/shutdown, the guest took it and obeyed; whoever asked vmpower for it is the actor.
 4.990  vmpower  web1 request shutdown pid=501 comm=vmpower user=anna
 5.000  xen      web1 control-request poweroff
 5.010  xen      web1 control-acknowledged poweroff
 8.000  xen      web1 domain-shutdown poweroff
 8.000  expect   web1 poweroff by operator, xen-control, graceful, certain, left off, actor vmpower, destroy pending
 8.200  xen      web1 domain-gone false
 9.000  expect   web1 1 verdict
 9.000  expect   web1 0 revisions
