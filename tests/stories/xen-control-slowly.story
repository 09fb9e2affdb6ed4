# The later a guest powers itself off, the less likely it is that it obeys.
 5.000  xen      web1 control-request halt
 5.010  xen      web1 control-acknowledged halt
 5m     xen      web1 domain-shutdown poweroff
 5m     expect   web1 poweroff by operator, xen-control, graceful, likely
 5.000  xen      web2 control-request poweroff
 5.010  xen      web2 control-acknowledged poweroff
 1h     xen      web2 domain-shutdown poweroff
 1h     expect   web2 poweroff by guest, xen-shutdown, graceful, likely, rule xen-control-long-ago
