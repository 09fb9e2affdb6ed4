# The domain that crashed stays under another name beside the one that is started in its place.
policy web1 on_crash=rename-restart
 5.000  xen      web1 domain-shutdown crash
 5.000  expect   web1 crash by guest, xen-shutdown, left off, rename-restart pending
 5.000  expect   web1 started
30.000  xen      web1 domain-shutdown poweroff
30.000  expect   web1 poweroff by guest, xen-shutdown, destroy pending
