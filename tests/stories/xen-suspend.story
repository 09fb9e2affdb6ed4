# A guest that suspends by itself is suspended until a toolstack resumes it.
 5.000  xen      web1 domain-shutdown suspend
 5.000  expect   web1 suspend by guest, xen-shutdown, graceful, certain, left suspended
 9.990  vmpower  web1 request resume pid=501 comm=vmpower user=anna
10.000  xen      web1 domain-resumed
10.000  expect   web1 wake by operator, xen-toolstack, graceful unknown, left running, actor vmpower
30.000  xen      web1 domain-shutdown poweroff
30.000  expect   web1 poweroff by guest, xen-shutdown
30.000  expect   web1 3 verdicts
