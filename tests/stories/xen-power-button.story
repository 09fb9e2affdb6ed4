# The device model's power button is pressed through vmpower, and the guest obeys.
 1.000  xen      web1 device-model pid=77
 5.000  vmpower  web1 request power-button pid=501 comm=vmpower user=anna
 8.000  xen      web1 domain-shutdown poweroff
 8.000  expect   web1 poweroff by operator, power-button, graceful, certain, left off, actor vmpower
# By another tool: the hypercall tells who.
 1.000  xen      web2 device-model pid=78
 5.000  trace    web2 hypercall command=power-button domid=4 pid=501 comm=xl user=root
50.000  xen      web2 domain-shutdown poweroff
50.000  expect   web2 poweroff by operator, power-button, graceful, certain, left off, actor xl
# A pause in between does not make it forgotten; the time does.
 1.000  xen      web3 device-model pid=79
 5.000  trace    web3 hypercall command=power-button domid=5 pid=501 comm=xl user=root
 6.000  xen      web3 domain-paused
 7.000  xen      web3 domain-unpaused
 5m     xen      web3 domain-shutdown poweroff
 5m     expect   web3 poweroff by operator, power-button, likely, actor xl
# No device model was seen: vmpower presses the button of an HVM domain alone, so there was one, most likely.
 5.000  vmpower  web4 request power-button pid=501 comm=vmpower user=anna
 8.000  xen      web4 domain-shutdown poweroff
 8.000  expect   web4 poweroff by operator, power-button, graceful, likely, actor vmpower
