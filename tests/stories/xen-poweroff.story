# A domain whose guest powered itself off is destroyed by policy, and that is no story of its own.
 5.000  xen      web1 domain-shutdown poweroff
 5.000  expect   web1 poweroff by guest, xen-shutdown, graceful, certain, left off, destroy pending
 5.100  xen      web1 domain-gone false
 6.000  expect   web1 poweroff by guest, xen-shutdown, left off, actor nobody
 6.000  expect   web1 1 verdict
 6.000  expect   web1 0 revisions
