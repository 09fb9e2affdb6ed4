# Whoever saves a domain asks it to suspend, and destroys what is left of it: that is one story.
 5.000  xen      web1 control-request suspend
 5.001  xen      web1 control-acknowledged suspend
 5.100  xen      web1 domain-shutdown suspend
 5.100  expect   web1 suspend by operator, xen-control, graceful, certain, left suspended, actor nobody
 7.000  xen      web1 domain-gone false
 8.000  expect   web1 suspend by operator, xen-control, left suspended
 8.000  expect   web1 1 verdict
 8.000  expect   web1 0 revisions
