# What was refused was not done by whoever asked for it.
 4.900  vmpower  web1 request destroy pid=501 comm=vmpower user=anna
 4.910  vmpower  web1 refused command=destroy
 9.000  xen      web1 domain-gone
 9.000  expect   web1 destroy by operator, xen-destroy, likely, left gone, actor nobody
 4.900  vmpower  web2 request suspend pid=501 comm=vmpower user=anna
 4.910  vmpower  web2 refused command=suspend
 9.000  xen      web2 domain-shutdown suspend
 9.000  expect   web2 suspend by guest, xen-shutdown, certain, actor nobody
 4.900  vmpower  web3 request pause pid=501 comm=vmpower user=anna
 4.910  vmpower  web3 refused command=pause
 9.000  xen      web3 domain-paused
 9.000  expect   web3 pause by operator, xen-toolstack, certain, actor nobody
# What libxl failed at afterwards it had done in part; but not for ever.
 4.900  vmpower  web4 request destroy pid=501 comm=vmpower user=anna
 5.000  xen      web4 domain-gone true
 5.100  vmpower  web4 refused command=destroy asked=4.9
 6.000  expect   web4 destroy by operator, xen-destroy, certain, actor vmpower
 5.000  vmpower  web5 request destroy pid=501 comm=vmpower user=anna
10m     xen      web5 domain-gone true
10m     expect   web5 destroy by operator, xen-destroy, certain, actor nobody
