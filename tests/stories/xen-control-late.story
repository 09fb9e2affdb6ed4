# The order of happening counts: what was asked for is heard of after what came of it.
 8.000  xen      web1 domain-shutdown poweroff
 8.000  expect   web1 poweroff by guest, xen-shutdown
 8.001  xen      web1 control-request poweroff at=5.000
 8.001  xen      web1 control-acknowledged poweroff at=5.010
 8.001  expect   web1 poweroff by operator, xen-control, graceful, certain
 9.000  expect   web1 1 verdict
