# A guest's soft reset begins it anew in its place: the same domain goes on, and what it does next is another story.
policy web1 on_soft_reset=soft-reset
 5.000  xen      web1 domain-shutdown soft-reset
 5.000  expect   web1 reboot by guest, xen-shutdown, graceful unknown, certain, left off, soft-reset pending
 6.000  xen      web1 domain-resumed
 7.000  expect   web1 1 verdict
30.000  xen      web1 domain-shutdown reboot
30.000  expect   web1 reboot by guest, xen-shutdown, rule xen-reboot
30.000  expect   web1 2 verdicts
