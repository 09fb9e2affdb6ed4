# While the host goes down its domains are asked to, or destroyed.
 5.000  host     web1 going-down poweroff pid=33 comm=systemctl user=anna
 6.000  xen      web1 control-request poweroff
 6.010  xen      web1 control-acknowledged poweroff
 9.000  xen      web1 domain-shutdown poweroff
 9.000  expect   web1 poweroff by host, host-shutdown, graceful, certain, left off, actor systemctl
 5.000  host     web2 going-down poweroff pid=33 comm=systemctl user=anna
 9.000  xen      web2 domain-gone true
 9.000  expect   web2 destroy by host, host-shutdown, not graceful, certain, left gone, actor systemctl
 4.000  xen      web3 control-request poweroff
 4.010  xen      web3 control-acknowledged poweroff
 5.000  host     web3 going-down poweroff pid=33 comm=systemctl user=anna
 6.000  xen      web3 domain-shutdown poweroff
 6.000  expect   web3 poweroff by operator, xen-control, graceful, certain
