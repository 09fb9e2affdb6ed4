# A PV domain has no power button: the request was refused, and its own poweroff is nobody's deed.
 5.000  vmpower  web1 request power-button pid=501 comm=vmpower user=anna
 5.010  vmpower  web1 refused command=power-button
95.000  xen      web1 domain-shutdown poweroff
95.000  expect   web1 poweroff by guest, xen-shutdown, graceful, certain, actor nobody
# A PVH domain has none, either, though xl reports success; nothing is left of a pause in between.
 5.000  trace    web2 hypercall command=power-button domid=4 pid=501 comm=xl user=root
 6.000  xen      web2 domain-paused
 7.000  xen      web2 domain-unpaused
95.000  xen      web2 domain-shutdown poweroff
95.000  expect   web2 poweroff by guest, xen-shutdown, graceful, certain, actor nobody
# Refused, whatever for, with a device model; a pause in between does not make that forgotten.
 1.000  xen      web3 device-model pid=77
 5.000  vmpower  web3 request power-button pid=501 comm=vmpower user=anna
 5.010  vmpower  web3 refused command=power-button
 6.000  xen      web3 domain-paused
 7.000  xen      web3 domain-unpaused
95.000  xen      web3 domain-shutdown poweroff
95.000  expect   web3 poweroff by guest, xen-shutdown, graceful, certain, actor nobody
# Asked once more, it was pressed.
 1.000  xen      web4 device-model pid=78
 5.000  vmpower  web4 request power-button pid=501 comm=vmpower user=anna
 5.010  vmpower  web4 refused command=power-button
 6.000  vmpower  web4 request power-button pid=502 comm=vmpower user=bert
95.000  xen      web4 domain-shutdown poweroff
95.000  expect   web4 poweroff by operator, power-button, certain, actor vmpower
