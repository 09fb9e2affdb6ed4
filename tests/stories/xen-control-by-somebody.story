# xl asks without a name: somebody did.
 5.000  xen      web1 control-request reboot
 5.010  xen      web1 control-acknowledged reboot
 8.000  xen      web1 domain-shutdown reboot
 8.000  expect   web1 reboot by operator, xen-control, graceful, certain, left off, actor nobody, restart pending
