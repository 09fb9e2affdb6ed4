# What was asked for before a domain was resumed is answered or forgotten.
 5.000  xen      web1 control-request poweroff
 5.001  xen      web1 control-acknowledged poweroff
 6.000  xen      web1 domain-shutdown suspend
 7.000  xen      web1 domain-resumed
 8.000  xen      web1 domain-shutdown poweroff
 8.000  expect   web1 poweroff by guest, xen-shutdown, graceful, certain
