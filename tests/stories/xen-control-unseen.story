# A guest that is quicker than whoever watches took a request that nobody could read: most likely it obeys.
 5.000  xen      web1 control-request unseen
 5.000  xen      web1 control-acknowledged unseen
 6.000  xen      web1 domain-shutdown poweroff
 6.000  expect   web1 poweroff by operator, xen-control, graceful, likely, rule xen-control-slow
