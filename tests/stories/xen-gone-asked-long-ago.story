# A request that came to nothing, minutes ago, does not explain that the domain is gone.
 5.000  xen      web1 control-request poweroff
 5.000  xen      web1 control-acknowledged poweroff
 4m     xen      web1 domain-gone
 4m     expect   web1 destroy by operator, xen-destroy, not graceful, likely, rule xen-destroy-unseen, left gone
