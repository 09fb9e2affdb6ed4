# Whoever ends a domain's device model has not ended the domain: it runs on, without its devices.
 1.000  xen      web1 device-model pid=77
 5.000  trace    web1 signal SIGKILL pid=501 comm=kill user=anna
 5.010  process  web1 device-model-killed SIGKILL
 5.010  expect   web1 failure by operator, signal, not graceful, certain, left running, actor kill, rule xen-device-model-signal
# What becomes of the domain then is another story.
 9.000  xen      web1 domain-paused
 9.000  expect   web1 pause by operator, xen-toolstack
10.000  xen      web1 domain-gone true
10.000  expect   web1 destroy by operator, xen-destroy, certain, left gone
11.000  expect   web1 3 verdicts
11.000  expect   web1 0 revisions
# One that is paused does not run by that.
 1.000  xen      web2 device-model pid=78
 2.000  xen      web2 domain-paused
 2.000  expect   web2 pause by operator, xen-toolstack, left paused
 5.000  trace    web2 signal SIGKILL pid=501 comm=kill user=anna
 5.011  xen      web2 status paused
 5.010  process  web2 device-model-killed SIGKILL
 5.020  expect   web2 failure by operator, signal, certain, left paused
# Nor is a guest's own end right after that in doubt by it.
 1.000  xen      web3 device-model pid=79
 4.999  trace    web3 signal SIGKILL pid=501 comm=kill user=anna
 5.000  process  web3 device-model-killed SIGKILL
 5.005  xen      web3 domain-shutdown poweroff
 6.000  expect   web3 poweroff by guest, xen-shutdown, certain, actor nobody
