# A domain that crashes in a loop is started again five times within a minute; then policy gives up and leaves it there.
policy web1 on_crash=coredump-restart
 1.000  xen      web1 domain-shutdown crash
 1.000  expect   web1 crash by guest, xen-shutdown, coredump-restart pending
 1.100  xen      web1 domain-gone false
 3.000  xen      web1 domain-shutdown crash
 4.100  xen      web1 domain-gone false
 6.000  xen      web1 domain-shutdown crash
 8.100  xen      web1 domain-gone false
10.000  xen      web1 domain-shutdown crash
14.100  xen      web1 domain-gone false
16.000  xen      web1 domain-shutdown crash
24.100  xen      web1 domain-gone false
26.000  xen      web1 domain-shutdown crash
26.000  expect   web1 crash by guest, xen-shutdown, left off, coredump-restart gave-up
26.000  expect   web1 6 verdicts
