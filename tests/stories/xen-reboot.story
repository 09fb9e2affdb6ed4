# A domain whose guest rebooted is replaced by a new one, which has a story of its own.
 5.000  xen      web1 domain-shutdown reboot
 5.000  expect   web1 reboot by guest, xen-shutdown, graceful unknown, certain, left off, restart pending
 5.100  xen      web1 domain-gone false
 5.100  expect   web1 started
30.000  xen      web1 domain-shutdown poweroff
30.000  expect   web1 poweroff by guest, xen-shutdown, graceful, left off
30.000  expect   web1 2 verdicts
