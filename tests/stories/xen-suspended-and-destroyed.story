# A domain that has run again since it suspended, and is gone then, was destroyed.
 5.000  xen      web1 domain-shutdown suspend
60.000  xen      web1 domain-gone
60.000  expect   web1 destroy by operator, xen-destroy, not graceful, likely, left gone
60.000  expect   web1 2 verdicts
